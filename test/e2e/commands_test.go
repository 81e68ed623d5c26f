//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/bridgetest"
)

// mkio-bridge wait returns when the job reaches a state, ends in another state, or the timeout expires.
func TestWait(t *testing.T) {
	p := bridgetest.StartBridge(t)
	env := p.Env()
	started, finished := bridgetest.Delivery(t, "job-started.json"), bridgetest.Delivery(t, "job-finished.finished.json")
	job := []string{"job", "aurora-vod", "ladder-hd"}
	wait := func(name string, flags ...string) []string {
		return append(append([]string{"wait"}, append(job, name)...), flags...)
	}

	waiting, err := bridgetest.NewProcess(t.TempDir(), "wait", bridgetest.Program(t, bridgetest.BridgePackage), wait("ep-0417", "--for-phase", "succeeded", "--timeout", "1m")...)
	if err != nil {
		t.Fatal(err)
	}
	waiting.SetEnv(env...)
	if err := waiting.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	for _, body := range [][]byte{started, jobStarted(t, "ep-1"), finished} {
		if status := p.Deliver(body); status != http.StatusNoContent {
			t.Errorf("status %d", status)
		}
	}
	if err := waiting.Wait(); err != nil || !strings.Contains(waiting.Log.String(), "ep-0417") || !strings.Contains(waiting.Log.String(), "Finished") {
		t.Errorf("%v: %s", err, waiting.Log)
	}
	awaitStateOutput(t, env, "--state", "finished")
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{wait("ep-0417", "--for", "Error,Finished"), exitOK, "Finished"},
		{wait("ep-0417", "--for=finished", "--output", "json"), exitOK, `"state":"Finished"`},
		{wait("ep-0417", "--for", "Error"), exitFailed, "ended in another state: Finished, phase succeeded"},
		{wait("ep-1", "--for", "Finished", "--timeout", "300ms"), exitTimedOut, "timed out: job aurora-vod/ladder-hd/ep-1 is"},
		{wait("unknown", "--for", "Finished", "--timeout", "300ms"), exitTimedOut, "the log has no event of"},
		{wait("ep-0417"), exitUsage, "--for"},
		{wait("ep-0417", "--for", "x", "--for-phase", "ready"), exitUsage, "--for"},
		{wait("ep-0417", "--for-phase", "done"), exitUsage, "phases are"},
		{[]string{"wait", "job", "aurora-vod", "--for", "x"}, exitUsage, "resource missing"},
		{[]string{"wait", "job", "aurora-vod", "x", "--for", "x"}, exitUsage, "needs TRANSFORM and NAME; got 1"},
		{[]string{"wait", "jobs", "aurora-vod", "x", "--for", "x"}, exitUsage, `"jobs"`},
	} {
		stdout, stderr, code := bridgetest.Run(t, env, test.args...)
		if code != test.code || !strings.Contains(stdout+stderr, test.want) {
			t.Errorf("%v: exit %d, want %d with %q: %s%s", test.args, code, test.code, test.want, stdout, stderr)
		}
	}
}

// mkio-bridge verify compares the log with a root printed before. mkio-bridge replay --live reaches plain subscribers.
func TestVerifyAndReplay(t *testing.T) {
	p := bridgetest.StartBridge(t)
	env := p.Env()
	started, finished := bridgetest.Delivery(t, "job-started.json"), bridgetest.Delivery(t, "job-finished.finished.json")
	p.Deliver(started)
	p.Deliver(finished)
	verify := func(code int, flags ...string) string {
		t.Helper()
		stdout, stderr, is := bridgetest.Run(t, env, append([]string{"verify"}, flags...)...)
		if is != code {
			t.Errorf("verify %v: exit %d: %s%s", flags, is, stdout, stderr)
		}
		return stdout
	}
	output := verify(exitOK)
	_, root, ok := strings.Cut(strings.TrimSpace(output), "root ")
	if !ok || !strings.HasPrefix(root, "2:") || !strings.Contains(output, "2 events of 1 resources") {
		t.Fatalf("verify printed %s", output)
	}
	p.Deliver(jobStarted(t, "ep-1"))
	if output := verify(exitOK, "--root", root); !strings.Contains(output, "nothing up to event 2 was changed") || !strings.Contains(output, "root 3:") {
		t.Errorf("verify printed %s", output)
	}
	var report struct {
		audit.Report
		Errors []string
		Root   string
	}
	if err := json.Unmarshal([]byte(verify(exitFailed, "--output", "json", "--root", "2:"+strings.Repeat("0", 64))), &report); err != nil {
		t.Fatal(err)
	}
	if report.Wrong != 1 || len(report.Errors) != 1 || report.Last != 3 || !strings.HasPrefix(report.Root, "3:") {
		t.Errorf("%+v", report)
	}
	verify(exitUsage, "--root", "2")
	verify(exitUsage, "--erased", "7-5")
	verify(exitOK, "--erased", "7,40-44")

	reader, err := nats.Connect("nats://" + p.NATS)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	replayed, err := reader.SubscribeSync("replay.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Flush(); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := bridgetest.Run(t, env, "replay", "replay", "--live", "--kind", "job", "--state", "finished")
	if code != exitOK || !strings.Contains(stdout, "1 events, 2 to 2, were published under replay") {
		t.Errorf("replay: exit %d: %s%s", code, stdout, stderr)
	}
	m, err := replayed.NextMsg(10 * time.Second)
	if err != nil || m.Subject != "replay.job.aurora-vod.ladder-hd.ep-0417.finished" {
		t.Errorf("%v, %v", m, err)
	}
	if _, stderr, code := bridgetest.Run(t, env, "replay", "replay"); code != exitFailed || !strings.Contains(stderr, "--live") {
		t.Errorf("replay without a stream: exit %d: %s", code, stderr)
	}
	if _, stderr, code := bridgetest.Run(t, env, "replay"); code != exitUsage || !strings.Contains(stderr, "prefix") {
		t.Errorf("replay without a prefix: exit %d: %s", code, stderr)
	}
}
