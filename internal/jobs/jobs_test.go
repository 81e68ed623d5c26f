package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
)

// newBucket returns a bucket as bridges have it.
func newBucket(t *testing.T) jetstream.KeyValue {
	t.Helper()
	_, js := brokertest.Start(t).Connect()
	bucket, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "mkio_bridge"})
	if err != nil {
		t.Fatal(err)
	}
	return bucket
}

// newRunner returns the runner of a bridge.
func newRunner(t *testing.T, bucket jetstream.KeyValue, bridge string, change func(*Config)) *Runner {
	t.Helper()
	c := Config{Bucket: bucket, Bridge: bridge, Kinds: []string{"verify", "doctor"}, Log: slog.New(slog.DiscardHandler), Heartbeat: 5 * time.Millisecond}
	if change != nil {
		change(&c)
	}
	r := New(c)
	t.Cleanup(r.Stop)
	return r
}

// start starts a job.
func start(t *testing.T, r *Runner, kind string, parameters map[string]string, task Task) Job {
	t.Helper()
	j, err := r.Start(t.Context(), kind, parameters, task)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// ended waits for the end of a job.
func ended(t *testing.T, r *Runner, id string) (j Job) {
	t.Helper()
	bridgetest.Eventually(t, "job "+id+" has ended", func() bool {
		var ok bool
		var err error
		if j, ok, err = r.Job(t.Context(), id); err != nil || !ok {
			t.Fatalf("job %s: %t, %v", id, ok, err)
		}
		return j.State != Running
	})
	return j
}

// blocked returns a task that reports its progress, and ends when release is called or its context ends.
func blocked() (task Task, release func()) {
	free := make(chan struct{})
	return func(ctx context.Context, report func(Progress)) (any, error) {
		report(Progress{Done: 3, Total: 7, Unit: "events"})
		select {
		case <-free:
			return map[string]int{"wrong": 0}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}, func() { close(free) }
}

// never is a task that must not run.
func never(context.Context, func(Progress)) (any, error) { panic("a second task runs") }

// One job of a kind runs in all bridges together, and each bridge shows its progress and result.
func TestSingleFlightOverAllBridges(t *testing.T) {
	bucket := newBucket(t)
	a, b := newRunner(t, bucket, "a", nil), newRunner(t, bucket, "b", nil)
	task, release := blocked()
	j := start(t, a, "verify", map[string]string{"root": "x"}, task)
	if j.State != Running || j.Bridge != "a" || !strings.HasPrefix(j.ID, "verify-1-") {
		t.Errorf("started %+v", j)
	}
	if joined := start(t, b, "verify", map[string]string{"root": "x"}, never); joined.ID != j.ID {
		t.Errorf("b started %+v", joined)
	}
	busy, ok := errors.AsType[*BusyError](second(b.Start(t.Context(), "verify", nil, never)))
	if !ok || busy.Job.ID != j.ID {
		t.Errorf("with other parameters: %v", busy)
	}
	other, releaseOther := blocked()
	doctor := start(t, b, "doctor", nil, other) // another kind
	bridgetest.Eventually(t, "b sees the progress", func() bool {
		seen, _, err := b.Job(t.Context(), j.ID)
		return err == nil && seen.Progress != nil && *seen.Progress == Progress{3, 7, "events"}
	})
	release()
	releaseOther()
	if seen := ended(t, b, j.ID); seen.State != Done || string(seen.Result) != `{"wrong":0}` || seen.Ended == nil || seen.Error != "" {
		t.Errorf("ended %+v", seen)
	}
	ended(t, a, doctor.ID)
	if next := start(t, b, "verify", nil, func(context.Context, func(Progress)) (any, error) { return nil, errors.New("out of luck") }); ended(t, a, next.ID).Error != "out of luck" {
		t.Errorf("failed job %+v", next)
	}
	ofA, errA := a.Jobs(t.Context())
	ofB, errB := b.Jobs(t.Context())
	if errA != nil || errB != nil || len(ofA) != 3 || asJSON(t, ofA) != asJSON(t, ofB) || ofA[2].ID != j.ID && ofA[1].ID != j.ID {
		t.Errorf("jobs %s, %v and %s, %v", asJSON(t, ofA), errA, asJSON(t, ofB), errB)
	}
}

func second(_ Job, err error) error { return err }

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Bridges that start a job at once start one.
func TestConcurrentStarts(t *testing.T) {
	bucket := newBucket(t)
	task, release := blocked()
	defer release()
	const bridges = 8
	ids := make(chan string, bridges)
	for i := range bridges {
		r := newRunner(t, bucket, fmt.Sprint(i), nil)
		go func() {
			j, err := r.Start(t.Context(), "verify", nil, task)
			if err != nil {
				t.Error(err)
			}
			ids <- j.ID
		}()
	}
	first := <-ids
	for range bridges - 1 {
		if id := <-ids; id != first {
			t.Errorf("jobs %s and %s", first, id)
		}
	}
}

// A job of a bridge that died ends as failed, and the next can start.
func TestJobOfADeadBridge(t *testing.T) {
	bucket := newBucket(t)
	dead := Job{ID: newID("verify", 41), Kind: "verify", State: Running, Bridge: "dead", Started: now(), Updated: now()}
	if _, err := (store{bucket: bucket}).write(t.Context(), newestKey("verify"), dead, 0); err != nil {
		t.Fatal(err)
	}
	patient := newRunner(t, bucket, "patient", nil)
	if j, _, err := patient.Job(t.Context(), dead.ID); err != nil || j.State != Running {
		t.Errorf("before the deadline: %+v, %v", j, err)
	}
	r := newRunner(t, bucket, "a", func(c *Config) { c.Deadline = time.Nanosecond })
	j, ok, err := r.Job(t.Context(), dead.ID)
	if err != nil || !ok || j.State != Failed || !strings.Contains(j.Error, "the bridge on dead, which ran it, has reported nothing since") || j.Ended == nil {
		t.Errorf("after the deadline: %+v, %t, %v", j, ok, err)
	}
	if seen, _, _ := patient.Job(t.Context(), dead.ID); asJSON(t, seen) != asJSON(t, j) {
		t.Errorf("another bridge sees %+v", seen)
	}
	task, release := blocked()
	next := start(t, patient, "verify", nil, task)
	release()
	ended(t, patient, next.ID)
	if former, ok, _ := patient.Job(t.Context(), dead.ID); !ok || former.State != Failed {
		t.Errorf("in the history: %+v, %t", former, ok)
	}
}

// A bridge that was held up stops its task when another bridge has given the job up.
func TestBridgeStopsAJobThatItLost(t *testing.T) {
	bucket := newBucket(t)
	a := newRunner(t, bucket, "a", nil)
	stopped := make(chan struct{})
	j := start(t, a, "verify", nil, func(ctx context.Context, _ func(Progress)) (any, error) {
		<-ctx.Done()
		close(stopped)
		return nil, ctx.Err()
	})
	b := newRunner(t, bucket, "b", func(c *Config) { c.Deadline = time.Nanosecond })
	if seen, _, err := b.Job(t.Context(), j.ID); err != nil || seen.State != Failed {
		t.Errorf("given up: %+v, %v", seen, err)
	}
	<-stopped
	a.Stop()
	if seen, _, err := a.Job(t.Context(), j.ID); err != nil || !strings.Contains(seen.Error, "reported nothing") {
		t.Errorf("afterwards: %+v, %v", seen, err)
	}
}

func TestStopEndsJobs(t *testing.T) {
	bucket := newBucket(t)
	a, b := newRunner(t, bucket, "a", nil), newRunner(t, bucket, "b", nil)
	task, _ := blocked()
	j := start(t, a, "verify", nil, task)
	a.Stop()
	if seen, _, err := b.Job(t.Context(), j.ID); err != nil || seen.State != Failed || !strings.Contains(seen.Error, "was stopped") {
		t.Errorf("stopped: %+v, %v", seen, err)
	}
	if _, err := a.Start(t.Context(), "verify", nil, never); !errors.Is(err, ErrStopping) {
		t.Errorf("after the stop: %v", err)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	bucket := newBucket(t)
	r := newRunner(t, bucket, "a", nil)
	var ids []string
	for range history + 3 {
		j := start(t, r, "verify", nil, func(context.Context, func(Progress)) (any, error) { return 1, nil })
		ended(t, r, j.ID)
		ids = append(ids, j.ID)
	}
	jobs, err := r.Jobs(t.Context())
	if err != nil || len(jobs) != history+1 {
		t.Errorf("%d jobs, %v", len(jobs), err)
	}
	for i, id := range ids {
		if _, ok, err := r.Job(t.Context(), id); err != nil || ok != (i >= 2) {
			t.Errorf("job %d: %t, %v", i+1, ok, err)
		}
	}
	keys, err := bucket.Keys(t.Context())
	if err != nil || len(keys) != history+1 {
		t.Errorf("keys %v, %v", keys, err)
	}
}

func TestUnknownAndOversizedJobs(t *testing.T) {
	bucket := newBucket(t)
	r := newRunner(t, bucket, "a", nil)
	for _, id := range []string{"", "x", "verify-1-0123abcd", "verify-0-x", "verify", "verify-1", "Verify-1-0123abcd", "a.b-1-0123abcd", "verify-99999999999999999999-0123abcd"} {
		if _, ok, err := r.Job(t.Context(), id); ok || err != nil {
			t.Errorf("%q: %t, %v", id, ok, err)
		}
	}
	j := start(t, r, "doctor", nil, func(context.Context, func(Progress)) (any, error) { return strings.Repeat("x", maxResult), nil })
	if seen := ended(t, r, j.ID); seen.State != Failed || !strings.Contains(seen.Error, "can be stored") {
		t.Errorf("too large: %+v", seen)
	}
}
