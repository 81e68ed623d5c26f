package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// other makes of a fixture one of another job.
func other(body []byte, name string) []byte {
	return bytes.ReplaceAll(body, []byte("ep-0417"), []byte(name))
}

// Who waits for a job goes on when it came to its end, whatever the end, or when that takes too long.
func TestWait(t *testing.T) {
	p := startBridge(t, "BRIDGE_STORE_DIR="+filepath.Join(t.TempDir(), "store"))
	env := []string{"BRIDGE_NATS_LISTEN=" + p.nats}
	started, finished := fixture(t, "job-started.json"), fixture(t, "job-finished.finished.json")
	job := []string{"job", "aurora-vod", "ladder-hd"}
	wait := func(name string, flags ...string) []string {
		return append(append([]string{"wait"}, append(job, name)...), flags...)
	}

	waiting := exec.CommandContext(t.Context(), program(t), wait("ep-0417", "--for-phase", "succeeded", "--timeout", "1m")...)
	waiting.Env = env
	var told bytes.Buffer
	waiting.Stdout = &told
	if err := waiting.Start(); err != nil {
		t.Fatal(err)
	}
	for _, body := range [][]byte{started, other(started, "ep-1"), finished} {
		if status := p.deliver(body); status != http.StatusNoContent {
			t.Errorf("status %d", status)
		}
	}
	if err := waiting.Wait(); err != nil || !strings.Contains(told.String(), "ep-0417") || !strings.Contains(told.String(), "Finished") {
		t.Errorf("%v: %s", err, told.String())
	}
	awaitState(t, env)
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{wait("ep-0417", "--for", "Error,Finished"), exitOK, "Finished"},
		{wait("ep-0417", "--for=finished", "--output", "json"), exitOK, `"state":"Finished"`},
		{wait("ep-0417", "--for", "Error"), exitFailed, "ended otherwise: Finished, phase succeeded"},
		{wait("ep-1", "--for", "Finished", "--timeout", "300ms"), exitTimedOut, "timed out: job aurora-vod/ladder-hd/ep-1 is"},
		{wait("nobody", "--for", "Finished", "--timeout", "300ms"), exitTimedOut, "the log has no event of"},
		{wait("ep-0417"), exitUsage, "--for"},
		{wait("ep-0417", "--for", "x", "--for-phase", "ready"), exitUsage, "--for"},
		{wait("ep-0417", "--for-phase", "done"), exitUsage, "phases are"},
		{[]string{"wait", "job", "aurora-vod", "--for", "x"}, exitUsage, "name a resource"},
		{[]string{"wait", "job", "aurora-vod", "x", "--for", "x"}, exitUsage, "named by 2 names"},
		{[]string{"wait", "jobs", "aurora-vod", "x", "--for", "x"}, exitUsage, `"jobs"`},
	} {
		stdout, stderr, code := runCommand(t, env, test.args...)
		if code != test.code || !strings.Contains(stdout+stderr, test.says) {
			t.Errorf("%v: exit %d, want %d with %q: %s%s", test.args, code, test.code, test.says, stdout, stderr)
		}
	}
}

// An auditor keeps a root, and holds the log against it later. A replay is told to whoever listens.
func TestVerifyAndReplay(t *testing.T) {
	p := startBridge(t, "BRIDGE_STORE_DIR="+filepath.Join(t.TempDir(), "store"))
	env := []string{"BRIDGE_NATS_LISTEN=" + p.nats}
	started, finished := fixture(t, "job-started.json"), fixture(t, "job-finished.finished.json")
	p.deliver(started)
	p.deliver(finished)
	verify := func(code int, flags ...string) string {
		t.Helper()
		stdout, stderr, is := runCommand(t, env, append([]string{"verify"}, flags...)...)
		if is != code {
			t.Errorf("verify %v: exit %d: %s%s", flags, is, stdout, stderr)
		}
		return stdout
	}
	said := verify(exitOK)
	_, root, ok := strings.Cut(strings.TrimSpace(said), "root ")
	if !ok || !strings.HasPrefix(root, "2:") || !strings.Contains(said, "2 events of 1 resources") {
		t.Fatalf("verify says %s", said)
	}
	p.deliver(other(started, "ep-1"))
	if said := verify(exitOK, "--root", root); !strings.Contains(said, "nothing up to event 2 was changed") || !strings.Contains(said, "root 3:") {
		t.Errorf("verify says %s", said)
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

	reader, err := nats.Connect("nats://" + p.nats)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	heard, err := reader.SubscribeSync("again.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Flush(); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := runCommand(t, env, "replay", "again", "--live", "--kind", "job", "--state", "finished")
	if code != exitOK || !strings.Contains(stdout, "1 events, 2 to 2, were published under again") {
		t.Errorf("replay: exit %d: %s%s", code, stdout, stderr)
	}
	m, err := heard.NextMsg(10 * time.Second)
	if err != nil || m.Subject != "again.job.aurora-vod.ladder-hd.ep-0417.finished" {
		t.Errorf("%v, %v", m, err)
	}
	if _, stderr, code := runCommand(t, env, "replay", "again"); code != exitFailed || !strings.Contains(stderr, "--live") {
		t.Errorf("replay without a stream: exit %d: %s", code, stderr)
	}
	if _, stderr, code := runCommand(t, env, "replay"); code != exitUsage || !strings.Contains(stderr, "prefix") {
		t.Errorf("replay without a prefix: exit %d: %s", code, stderr)
	}
}

func TestAudit(t *testing.T) {
	b := openForTest(t)
	t.Setenv("BRIDGE_NATS_LISTEN", b.embedded.Addr())
	tell := func(args ...string) (string, int) {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), append([]string{"audit"}, args...), &stdout, &stderr)
		return stdout.String() + stderr.String(), code
	}
	if said, code := tell(); code != exitFailed || !strings.Contains(said, "no record of any sweep") {
		t.Errorf("without records: exit %d: %s", code, said)
	}
	now := time.Now().UTC()
	for hours := -5; hours < 0; hours++ {
		for _, kind := range []lifecycle.Kind{lifecycle.Job, lifecycle.Asset} {
			from := now.Add(time.Duration(hours) * time.Hour)
			to, due := from.Add(time.Minute), from.Add(90*time.Minute)
			c := event.Coverage{Record: event.Covered, Project: "vod", Kind: kind, From: from, To: &to, Due: &due, Resources: 7, Differed: 1, Repaired: 1, RecordedTime: to}
			if kind == lifecycle.Asset && hours == -3 {
				c.Record, c.From, c.To, c.Due, c.Reason = event.GapOpened, from.Add(-time.Hour), nil, nil, "MK.IO answered 502"
				c.Resources, c.Differed, c.Repaired = 0, 0, 0
			}
			if err := b.publisher.Prove(context.Background(), c); err != nil {
				t.Fatal(err)
			}
		}
	}
	said, code := tell()
	if code != exitFailed || !strings.Contains(said, "not proven from") || !strings.Contains(said, "MK.IO answered 502") || strings.Count(said, "\n") != 4 {
		t.Errorf("exit %d: %s", code, said)
	}
	if said, code := tell("--kind", "job", "--since", "4h"); code != exitOK || !strings.Contains(said, "vod job") || strings.Contains(said, "not proven") {
		t.Errorf("exit %d: %s", code, said)
	}
	said, code = tell("--kind", "asset", "--output", "json")
	var c audit.Coverage
	if err := json.Unmarshal([]byte(strings.SplitAfter(said, "\n")[0]), &c); err != nil || code != exitFailed {
		t.Fatalf("exit %d, %v: %s", code, err, said)
	}
	if len(c.Gaps) != 1 || c.Gaps[0].To.Sub(c.Gaps[0].From) != 2*time.Hour || c.Sweeps != 4 || c.Repaired != 4 || !c.Pending {
		t.Errorf("%+v", c)
	}
	if said, code := tell("--project", "nobody"); code != exitFailed || !strings.Contains(said, "no record") {
		t.Errorf("exit %d: %s", code, said)
	}
	if _, code := tell("--since", "1h", "--until", "2h"); code != exitUsage {
		t.Errorf("exit %d for a period that ends before it begins", code)
	}
}
