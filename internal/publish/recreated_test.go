package publish_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/streams"
)

// recreate deletes streams, and creates all that are missing.
func (f *fixture) recreate(deleted ...string) {
	f.t.Helper()
	for _, name := range deleted {
		if err := f.js.DeleteStream(f.t.Context(), name); err != nil {
			f.t.Fatal(err)
		}
	}
	if err := streams.Ensure(f.t.Context(), f.js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
		f.t.Fatal(err)
	}
	f.delivered = nil
}

// After the log was deleted, no observation is a duplicate of an event that a bridge still has cached.
func TestDeletedLogRecordsAgain(t *testing.T) {
	f := setUp(t)
	p := f.publisher(false, nil)
	job := key(t, lifecycle.Job, "ladder-hd", "ep-0417")
	started := delivery(job, "Processing", 1)
	f.want(p, started, lifecycle.Changed)
	f.recreate(names.StateStream(), names.EventStream())
	f.want(p, started, lifecycle.Changed)
	f.wantStates("Processing")
}

func TestRecreatedLogIsReloaded(t *testing.T) {
	defer brokertest.StartServerClock()()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t)
		p := f.publisher(false, nil)
		job := key(t, lifecycle.Job, "ladder-hd", "ep-0417")
		f.want(p, delivery(job, "Processing", 1), lifecycle.Changed)
		if err := p.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		follow(t, p)
		f.recreate(names.StateStream(), names.EventStream())
		time.Sleep(2 * time.Minute)
		if fact, known := p.Recorded(job); known {
			t.Errorf("%+v is still cached from the former log", fact)
		}
		f.want(f.publisher(false, nil), delivery(job, "Finished", 2), lifecycle.Changed)
		time.Sleep(time.Minute)
		if fact, _ := p.Recorded(job); fact.State != "Finished" {
			t.Errorf("%+v is cached", fact)
		}
	})
}

// The server continues to fill the state bucket from its former sequence: with a new log it would lack events.
func TestStateBucketOfAnotherLogIsRefused(t *testing.T) {
	f := setUp(t)
	p := f.publisher(false, nil)
	channel := key(t, lifecycle.LiveChannel, "news-247")
	for minute, state := range []string{"Starting", "Running", "Stopped"} {
		f.want(p, delivery(channel, state, minute), lifecycle.Changed)
	}
	if err := p.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.recreate(names.EventStream())
	err := f.publisher(false, nil).Load(t.Context())
	if err == nil || !strings.Contains(err.Error(), "delete "+names.StateStream()) {
		t.Errorf("Load: %v", err)
	}
}
