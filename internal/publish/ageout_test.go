package publish_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/streams"
)

// A resource whose last event has aged out of the log continues its chain from the state bucket: with a bridge that has the
// event cached, with one that loads the cache, and with one that has an empty cache.
func TestAgedOutResourceContinuesItsChain(t *testing.T) {
	defer brokertest.StartServerClock()()
	synctest.Test(t, func(t *testing.T) {
		f := setUpWith(t, streams.Config{Names: names, Replicas: 1, Create: true, MaxAge: time.Hour})
		a, b := f.publisher(false, nil), f.publisher(false, nil)
		channel := key(t, lifecycle.LiveChannel, "news-247")
		f.want(a, delivery(channel, "Running", 1), lifecycle.Changed)
		first, _ := a.Recorded(channel)

		time.Sleep(2 * time.Hour)
		if err := b.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.want(b, delivery(channel, "Running", 1), lifecycle.Repeat)
		f.want(a, delivery(channel, "Running", 30), lifecycle.Flap)
		f.want(f.publisher(false, nil), delivery(channel, "Running", 30), lifecycle.Flap)
		f.delivered = nil // their events have aged out
		if states := f.states(); len(states) != 0 {
			t.Fatalf("the log still has %v", states)
		}

		f.want(b, delivery(channel, "Stopped", 60), lifecycle.Changed)
		f.want(a, delivery(channel, "Running", 61), lifecycle.Changed)
		f.wantStates("Stopped", "Running")
		for e, err := range eventlog.New(f.js, names).Events(t.Context(), eventlog.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			if d := e.Event.Data; d.State == "Stopped" && (d.Transition != 2 || *d.PreviousState != "Running" || d.PreviousHash != first.Hash) {
				t.Errorf("the chain is broken: %+v", d)
			}
		}
	})
}

func TestFollowCachesEventsOfOtherBridges(t *testing.T) {
	defer brokertest.StartServerClock()()
	synctest.Test(t, func(t *testing.T) {
		f := setUpWith(t, streams.Config{Names: names, Replicas: 1, Create: true, MaxAge: time.Hour})
		a, b := f.publisher(false, nil), f.publisher(false, nil)
		channel := key(t, lifecycle.LiveChannel, "news-247")
		follow(t, b)
		f.want(a, delivery(channel, "Running", 1), lifecycle.Changed)
		time.Sleep(2 * time.Hour)
		f.want(b, delivery(channel, "Running", 1), lifecycle.Repeat) // would be an invented event, if b had not cached the first
		f.delivered = nil
		if states := f.states(); len(states) != 0 {
			t.Errorf("the log has %v", states)
		}
	})
}

func TestLoadCachesEveryResource(t *testing.T) {
	f := setUp(t)
	a := f.publisher(false, nil)
	for _, k := range []lifecycle.Key{
		key(t, lifecycle.Asset, "a.b"), key(t, lifecycle.Job, "t", "n"), key(t, lifecycle.ScheduledOperation, "live-channel", "c", "o"),
	} {
		f.want(a, delivery(k, "Pending", 1), lifecycle.Changed)
		f.want(a, delivery(k, "Deleting", 2), lifecycle.Changed)
	}
	writes := 0
	b := f.publisher(false, func(js jetstream.JetStream) jetstream.JetStream {
		return &countingJetStream{JetStream: js, writes: &writes}
	})
	if err := b.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, k := range []lifecycle.Key{
		key(t, lifecycle.Asset, "a.b"), key(t, lifecycle.Job, "t", "n"), key(t, lifecycle.ScheduledOperation, "live-channel", "c", "o"),
	} {
		if got, _ := b.Recorded(k); got.Sequence != uint64(2*i+2) {
			t.Errorf("%s: cached sequence %d, want %d", k, got.Sequence, 2*i+2)
		}
		f.want(b, delivery(k, "Deleted", 3), lifecycle.Changed)
	}
	if writes != 3 {
		t.Errorf("%d writes for three events: a cached head saves the second write", writes)
	}
	f.states()
}

// follow runs a publisher's Follow until the test ends.
func follow(t *testing.T, p *publish.Publisher) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.Follow(ctx, func(string, lifecycle.Fact) {}) }()
	t.Cleanup(func() { stop(); <-done })
}
