package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// callWait runs bridge wait against a bridge.
func callWait(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"wait"}, args...), &out, &errs)
	return out.String(), errs.String(), code
}

// What --output name prints is an argument of wait, whatever the names are.
func TestWaitTakesTheOutputOfName(t *testing.T) {
	for _, names := range [][]string{{"ladder-hd", "ep-0417"}, {"a b", "100 %/ä"}} {
		var e eventlog.LoggedEvent
		e.Event.Data.Kind, e.Event.Data.Project, e.Event.Data.Path = lifecycle.Job, "aurora vod", names
		key, err := resourceOf([]string{resourcePath(e)})
		if err != nil || key.Kind != lifecycle.Job || key.Project != "aurora vod" || !slices.Equal(key.Names(), names) {
			t.Errorf("%s: %v, %v", resourcePath(e), key, err)
		}
	}
}

// waitTimeout is long enough to connect on a busy machine, for a wait that times out.
const waitTimeout = "3s"

// waitedDelivery returns a delivery of the job "reused" in a state. The number of the life makes its id.
func waitedDelivery(t *testing.T, life int, state string) []byte {
	t.Helper()
	now := time.Now().UTC().Format(time.RFC3339Nano)
	return bridgetest.JobDelivery(t, "reused", state, func(delivery map[string]any) {
		delivery["id"], delivery["time"] = fmt.Sprintf("%d-%s", life, state), now
		delivery["data"].(map[string]any)["resource"] = map[string]any{
			"name":       "reused",
			"properties": map[string]any{"state": state, "created": now, "lastModified": now},
			"systemData": map[string]any{"internalId": fmt.Sprintf("life-%d", life)},
		}
	})
}

// To wait for a job that is recreated under an old name, --since is a time, or the last sequence, before its creation.
func TestWaitForARecreatedJob(t *testing.T) {
	b, _, _ := serveForTest(t, nil)
	t.Setenv("BRIDGE_NATS_LISTEN", b.embedded.Addr())
	mustDeliver := func(life int, state string) {
		t.Helper()
		if status := deliver(t, b, waitedDelivery(t, life, state)); status != http.StatusNoContent {
			t.Fatalf("life %d, %s: status %d", life, state, status)
		}
	}
	job := []string{"job", "aurora-vod", "ladder-hd", "reused", "--for-phase", "succeeded", "--timeout"}
	mustDeliver(1, "Finished") // event 2: the first is of another job
	before := time.Now().Add(time.Second / 500)
	bridgetest.Eventually(t, "the --since time has passed", func() bool { return time.Now().After(before) })
	since := before.UTC().Format(time.RFC3339Nano)
	zone := before.In(time.FixedZone("", -5*3600)).Format(time.RFC3339Nano)
	after := before.Add(2 * time.Millisecond)
	bridgetest.Eventually(t, "a millisecond more has passed", func() bool { return time.Now().After(after) })
	var waiting sync.WaitGroup
	for _, position := range []string{since, zone, "2", "0s", "1ms"} {
		waiting.Go(func() {
			if out, errs, code := callWait(t, append(slices.Clone(job), waitTimeout, "--since", position)...); code != exitTimedOut || out != "" || !strings.Contains(errs, "timed out: job aurora-vod/ladder-hd/reused is Finished, and nothing was recorded since") {
				t.Errorf("since %s, with nothing new: exit %d: %s%s", position, code, out, errs)
			}
		})
	}
	waiting.Wait()
	for _, position := range []string{"1h", "1", "0"} {
		if out, errs, code := callWait(t, append(job, "1m", "--since", position)...); code != exitOK || !strings.Contains(out, "Finished") {
			t.Errorf("since %s, from before the first life: exit %d: %s%s", position, code, out, errs)
		}
	}

	type ended struct {
		out, errs string
		code      int
	}
	waits := map[string]chan ended{since: make(chan ended, 1), "2": make(chan ended, 1)}
	for position, end := range waits {
		go func() {
			out, errs, code := callWait(t, append(slices.Clone(job), "1m", "--output", "json", "--since", position)...)
			end <- ended{out, errs, code}
		}()
	}
	mustDeliver(2, "Processing")
	mustDeliver(2, "Error")
	for position, end := range waits {
		e := <-end
		if e.code != exitFailed || !strings.Contains(e.errs, "ended in another state: Error, phase failed") {
			t.Errorf("since %s: exit %d: %s", position, e.code, e.errs)
		}
		var event struct {
			Data struct {
				State    string
				Evidence struct{ Life string }
			}
		}
		if err := json.Unmarshal([]byte(e.out), &event); err != nil || event.Data.State != "Error" || event.Data.Evidence.Life != "life-2" {
			t.Errorf("since %s: %v: %s", position, err, e.out)
		}
	}
	for _, position := range []string{since, "2"} { // recorded events end the wait at once
		if out, errs, code := callWait(t, append(job, "1m", "--since", position)...); code != exitFailed || !strings.Contains(out, "Processing → Error") {
			t.Errorf("since %s, afterwards: exit %d: %s%s", position, code, out, errs)
		}
	}
}

// An invalid position is refused before the wait begins.
func TestWaitRefusesInvalidPositions(t *testing.T) {
	b := openForTest(t) // which has one event
	t.Setenv("BRIDGE_NATS_LISTEN", b.embedded.Addr())
	for position, says := range map[string]string{
		"":                     `"" is neither a duration`,
		"yesterday":            "nor the sequence of an event such as 4711",
		"2031-03-04T10:00:00":  "2031-03-04T10:00:00Z, nor",
		"-5":                   `"-5" is neither`,
		"18446744073709551616": "larger than any sequence",
		"2":                    "--since 2 is past the end of MKIO_EVENTS, whose last event is 1: give a sequence of this log",
	} {
		if out, errs, code := callWait(t, "job", "aurora-vod", "ladder-hd", "x", "--for", "Finished", "--timeout", "1m", "--since", position); code != exitUsage || !strings.Contains(errs, says) {
			t.Errorf("since %q: exit %d, want %d with %q: %s%s", position, code, exitUsage, says, out, errs)
		}
	}
	out, errs, code := callWait(t, "job", "aurora-vod", "ladder-hd", "ep-0417", "--for", "Processing", "--timeout", waitTimeout, "--since", "2931-01-01T00:00:00Z")
	if code != exitTimedOut || !strings.Contains(errs, "is in the future by this machine's clock") || !strings.Contains(errs, "nothing was recorded since 2931-01-01T00:00:00Z") {
		t.Errorf("in the future: exit %d: %s%s", code, out, errs)
	}
	if out, errs, code := callWait(t, "job", "aurora-vod", "ladder-hd", "nobody", "--for", "x", "--timeout", waitTimeout, "--since", "1"); code != exitTimedOut || !strings.Contains(errs, "the log has no event of job aurora-vod/ladder-hd/nobody") {
		t.Errorf("of an unknown job: exit %d: %s%s", code, out, errs)
	}
	if out, _, code := callWait(t, "-h"); code != exitOK || !strings.Contains(out, "-since") {
		t.Errorf("help: exit %d: %s", code, out)
	}
}
