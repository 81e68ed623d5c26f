//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// publishGo returns the example in Go as a program.
func publishGo(w *workflow, durable string, more ...string) *program {
	argv := []string{
		bridgetest.Program(w.t, "mkio-bridge/examples/publish-when-finished"), "-mkio", w.url, "-nats", w.nats,
		"-durable", durable, "-since", "1h", "-ack-wait", "500ms",
	}
	judge := w.play
	if slices.Contains(more, "-dry-run") {
		judge = func(string) {}
	}
	return w.program("", durable, judge, nil, append(argv, more...)...)
}

// endpointOnly is a MK.IO with a stopped endpoint, and a job that finished before the bridge was there.
func endpointOnly(m *mkiofake.MKIO) {
	m.Create(endpoint, "Stopped")
	m.Create(mkioKey(lifecycle.Asset, "ep-old-out"), "Ready")
	m.Create(mkioKey(lifecycle.Job, "ladder-hd", "ep-old"), "Finished")
}

func TestPublishGoKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	checkKilled(t, func(w *workflow) *program { return publishGo(w, "publisher") }, 1)
}

// checkKilled kills a publisher after each step of its work, and starts it again: every job is published once, and nothing
// early. With a stride it leaves steps out.
func checkKilled(t *testing.T, publisher func(*workflow) *program, stride int) {
	t.Helper()
	w := startWorkflow(t, endpointOnly)
	p := publisher(w)
	p.start()
	var jobs []string
	for n, killed := 1, true; killed; n += stride {
		job := fmt.Sprint("ep-", n)
		w.killAfter(n, p.Kill)
		w.job(job, "Queued", "Processing", "Finished")
		if killed = !p.awaitPublished(job); killed {
			p.start()
			if !p.awaitPublished(job) {
				t.Fatal(p.Wait())
			}
		}
		jobs = append(jobs, job)
		w.Move(endpoint, "Stopping")
		w.Move(endpoint, "Stopped")
	}
	if len(jobs) < 8/stride {
		t.Errorf("only %d jobs: the program was not killed at every step", len(jobs))
	}
	w.killAfter(0, nil)
	w.Move(endpoint, "Running") // the last job waits for its locator only
	w.job("last", "Queued", "Processing", "Finished")
	p.awaitPublished("last")
	w.checkLocators(append(jobs, "last")...)
	if err := p.Stop(syscall.SIGTERM, time.Minute); err != nil {
		t.Error(err)
	}
}

// The rules of MK.IO hold for two publishers at once, with webhooks that are lost, late and repeated, requests that fail, and
// with bridge and publishers killed in between: no output is published before its job is Finished, or to be played before the
// endpoint is Running; and each is published once.
func TestPublishedOnceAndNotEarly(t *testing.T) {
	t.Parallel()
	checkRules(t, 5)
}

func TestSoakPublishedOnceAndNotEarly(t *testing.T) { checkRules(t, 40) }

func checkRules(t *testing.T, count int) {
	t.Helper()
	w := startWorkflow(t, endpointOnly)
	w.SetFaults(mkiofake.Faults{
		Dropped: 0.3, Late: 0.3, LateBy: 2 * time.Second, Jitter: 200 * time.Millisecond, Repeat: 0.5, RepeatBy: time.Second, NewID: 0.5,
	})
	w.refuseEvery(11)
	publishers := []*program{publishGo(w, "one"), publishGo(w, "two")}
	for _, p := range publishers {
		p.start()
	}
	var jobs []string
	for i := range count {
		job := fmt.Sprint("ep-", i)
		jobs = append(jobs, job)
		w.job(job, "Queued", "Processing")
		w.job(job+"-bad", "Queued", "Processing")
		if i == 0 {
			continue
		}
		p, before := publishers[i/2%2], jobs[i-1] // has been Processing since the last kill
		if i%2 == 0 {
			p.Kill()
		} else {
			w.bridge.Kill()
		}
		w.job(before, "Finished")
		w.job(before+"-bad", []string{"Error", "Canceled"}[i%2])
		if i%2 == 0 {
			p.start()
		} else {
			w.bridge.Restart()
		}
		for _, p := range publishers {
			if !p.awaitPublished(before) {
				t.Fatal(p.Wait())
			}
		}
	}
	jobs = jobs[:count-1] // the last one is still Processing
	for _, p := range publishers {
		w.awaitHandled(p.Name)
	}
	w.checkLocators(jobs...)
	starts := 0
	for _, write := range w.Writes() {
		if strings.HasSuffix(write.Path, "/start") && write.Status == http.StatusOK {
			starts++
		}
	}
	if starts != 1 {
		t.Errorf("the endpoint was started %d times", starts)
	}
}

func TestPublishGoIgnoresEarlierLives(t *testing.T) {
	t.Parallel()
	checkEarlierLives(t, func(w *workflow) *program { return publishGo(w, "publisher") })
}

// checkEarlierLives checks that an event of an earlier life of a job's name is ignored while the new job still writes the
// output, even if the bridge has not noticed yet that there is a new job.
func checkEarlierLives(t *testing.T, publisher func(*workflow) *program) {
	t.Helper()
	w := startWorkflow(t, endpointOnly)
	w.job("ep-1", "Queued", "Processing", "Finished")
	w.awaitRecorded("ep-1", "Finished")
	w.setBlind(true)
	w.SetFaults(mkiofake.Faults{Dropped: 1})
	w.job("ep-1", lifecycle.StateDeleted, "Queued", "Processing")
	p := publisher(w)
	p.start()
	w.await("the publisher asked MK.IO for the job's state", func() bool {
		return strings.Contains(p.Log.String(), "in state Processing") || len(w.Writes()) > 0
	})
	w.checkLocators()
	w.SetFaults(mkiofake.Faults{})
	w.setBlind(false)
	w.awaitRecorded("ep-1", "Processing")
	w.awaitHandled(p.Name) // the end of the first life
	w.checkLocators()
	w.job("ep-1", "Finished")
	p.awaitPublished("ep-1")
	w.checkLocators("ep-1")
}

// A dry run tells what it would do, changes nothing, and leaves the events to the durable consumer.
func TestPublishDryRun(t *testing.T) {
	t.Parallel()
	w := startWorkflow(t, endpointOnly)
	p := publishGo(w, "publisher", "-dry-run")
	p.start()
	w.job("ep-1", "Queued", "Processing", "Finished")
	for _, want := range []string{
		"would create streaming locator ep-1-out in project aurora-vod", "would start streaming endpoint default in project aurora-vod (it is Stopped)",
	} {
		p.await(want)
	}
	p.await("would print the addresses of streaming locator ep-1-out at https://ep-default.")
	if writes := w.Writes(); len(writes) > 0 {
		t.Errorf("a dry run wrote %v", writes)
	}
	publisher := publishGo(w, "publisher")
	publisher.start()
	publisher.awaitPublished("ep-1")
	w.checkLocators("ep-1")
}

// A publisher needs no more permissions in NATS than the reader of deploy/nats has.
func TestPublishAsReader(t *testing.T) {
	g := startWithAccounts(t)
	w := startWorkflow(t, endpointOnly, g.env("mkio-bridge", "bridge")...)
	w.nats = strings.Replace(g.URL, "nats://", "nats://mkio-reader:reader-REDACT-ME@", 1)
	p := publishGo(w, "publisher")
	p.start()
	w.job("ep-1", "Queued", "Processing", "Finished")
	p.awaitPublished("ep-1")
	g.checkNothingRefused()
}

// awaitHandled waits until a durable consumer has no event left.
func (w *workflow) awaitHandled(durable string) {
	w.t.Helper()
	exampleBridge{w.bridge, w.t, w.js}.awaitConsumer(durable, "handled every event", func(*jetstream.ConsumerInfo) bool { return true })
}

// awaitRecorded waits until the bridge has recorded a state of a job.
func (w *workflow) awaitRecorded(job, state string) {
	w.t.Helper()
	w.await(job+" is recorded as "+state, func() bool {
		status, body := w.bridge.Get("/v1/resources/job/aurora-vod/ladder-hd/" + job)
		return status == http.StatusOK && strings.Contains(body, `"state":"`+state+`"`)
	})
}

func TestPublishNode(t *testing.T) {
	t.Parallel()
	publisher := publishNode(t)
	t.Run("killed", func(t *testing.T) { checkKilled(t, publisher, 4) })
	t.Run("earlier lives", func(t *testing.T) { checkEarlierLives(t, publisher) })
}

func TestSoakPublishNodeKilledAtEveryStep(t *testing.T) { checkKilled(t, publishNode(t), 1) }

// publishNode prepares the example in JavaScript.
func publishNode(t *testing.T) func(*workflow) *program {
	t.Helper()
	needs(t, "node")
	node := find(t, "node", "node")
	dir := npmInstall(t, "examples/publish-node", "publish.mjs")
	return func(w *workflow) *program {
		return w.program(dir, "publish-node", w.play, []string{"SINCE_SECONDS=3600", "ACK_WAIT_MS=500"}, node, "publish.mjs")
	}
}

// The shell script publishes one job. It is killed after each step and run again.
func TestPublishShellKilled(t *testing.T) {
	t.Parallel()
	checkShell(t, 4)
}

func TestSoakPublishShellKilledAtEveryStep(t *testing.T) { checkShell(t, 1) }

func checkShell(t *testing.T, stride int) {
	t.Helper()
	w := startWorkflow(t, endpointOnly)
	jobs := w.checkShellWaits()
	for n, killed := 1, true; killed; n += stride {
		job := fmt.Sprint("ep-", n)
		p := w.publishShell(job)
		w.killAfter(n, p.Kill)
		p.run()
		w.job(job, "Queued", "Processing", "Finished")
		if killed = !p.awaitPublished(job); killed {
			p.run()
		}
		if err := p.Wait(); err != nil || !p.awaitPublished(job) {
			t.Fatal(err)
		}
		jobs = append(jobs, job)
		w.Move(endpoint, "Stopping")
		w.Move(endpoint, "Stopped")
	}
	if len(jobs) < 8/stride {
		t.Errorf("only %d jobs: the script was not killed at every step", len(jobs))
	}
	w.checkLocators(jobs...)
}

// publishShell prepares the shell script for a job that is submitted now.
func (w *workflow) publishShell(job string) *program { return w.publishShellAt(endpoint, job) }

func (w *workflow) publishShellAt(endpoint lifecycle.Key, job string) *program {
	w.t.Helper()
	judge := func(line string) { w.playAt(endpoint, line) }
	return w.shell("publish-"+job, judge, []string{"ENDPOINT=" + endpoint.Name()}, `exec "$0" "$@"`, bridgetest.RepositoryPath("examples/publish.sh"),
		"aurora-vod", "ladder-hd", job, time.Now().UTC().Format(time.RFC3339Nano))
}

// checkShellWaits checks that the script waits while its endpoint is Starting, and while its job is Processing, even if the
// bridge has not noticed yet that the former job of that name, which is recorded as Finished, is gone. It returns the jobs that
// were published.
func (w *workflow) checkShellWaits() []string {
	w.t.Helper()
	running := mkioKey(lifecycle.StreamingEndpoint, "edge-2")
	w.Create(running, "Running") // a script that uses it waits for its locator only
	w.Move(endpoint, "Starting") // not by a request: it stays so
	starting, slow := w.publishShell("starting"), w.publishShell("slow")
	w.job("starting", "Queued", "Finished")
	w.job("slow", "Queued", "Processing")
	w.job("reused", "Queued", "Finished")
	w.awaitRecorded("slow", "Processing")
	w.awaitRecorded("reused", "Finished")
	w.runUntilRead("streamingEndpoints/default", starting.run)
	w.setBlind(true)
	w.SetFaults(mkiofake.Faults{Dropped: 1})
	w.job("reused", lifecycle.StateDeleted, "Queued", "Processing")
	w.SetFaults(mkiofake.Faults{})
	reused, other := w.publishShell("reused"), w.publishShellAt(running, "other")
	slow.run()
	reused.run()
	other.run() // meanwhile another job is published: so the first scripts had time enough to be too early
	w.job("other", "Queued", "Finished")
	if err := other.Wait(); err != nil {
		w.t.Fatal(err)
	}
	w.setBlind(false)
	w.Move(endpoint, "Running")
	w.job("slow", "Finished")
	w.job("reused", "Finished")
	for _, p := range []*program{starting, slow, reused} {
		if err := p.Wait(); err != nil {
			w.t.Fatal(err)
		}
	}
	if !starting.awaitPublished("starting") || !slow.awaitPublished("slow") || !reused.awaitPublished("reused") {
		w.t.Error("a script ended without the addresses")
	}
	w.Move(endpoint, "Stopping")
	w.Move(endpoint, "Stopped")
	return []string{"starting", "slow", "reused", "other"}
}
