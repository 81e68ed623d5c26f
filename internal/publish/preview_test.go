package publish_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
)

// lastOf returns the last sequence of a stream and its number of messages.
func (f *fixture) lastOf(name string) (last, held uint64) {
	f.t.Helper()
	stream, err := f.js.Stream(f.t.Context(), name)
	if err != nil {
		f.t.Fatal(err)
	}
	return stream.CachedInfo().State.LastSeq, stream.CachedInfo().State.Msgs
}

func TestPreviewMatchesObserve(t *testing.T) {
	f := setUp(t)
	p := f.publisher(false, nil)
	job, channel := key(t, lifecycle.Job, "t", "n"), key(t, lifecycle.LiveChannel, "c")
	started := delivery(job, "Processing", 1)
	f.want(p, started, lifecycle.Changed)
	f.want(p, delivery(job, "Finished", 3), lifecycle.Changed)
	f.want(p, delivery(channel, "Running", 5), lifecycle.Changed)
	other := delivery(channel, "Stopped", 9)
	other.Life = "life-2"
	again := delivery(channel, "Stopped", 5) // its time orders it neither before nor after the recorded state
	for name, tt := range map[string]struct {
		seen lifecycle.Observation
		want lifecycle.Outcome
	}{
		"nothing recorded":      {delivery(key(t, lifecycle.Asset, "a"), "Ready", 1), lifecycle.Changed},
		"newer":                 {delivery(channel, "Stopped", 6), lifecycle.Changed},
		"another life":          {other, lifecycle.Reborn},
		"an earlier event":      {started, lifecycle.Repeat},
		"the recorded state":    {delivery(channel, "Running", 7), lifecycle.Flap},
		"older, never recorded": {delivery(job, "Queued", 0), lifecycle.Late},
		"no evidence":           {again, lifecycle.Conflict},
	} {
		for range 2 { // a previewed flap is not cached
			if v, err := p.Preview(t.Context(), tt.seen); err != nil || v.Outcome != tt.want {
				t.Errorf("%s: %s (%s), %v, want %s", name, v.Outcome, v.Why, err, tt.want)
			}
		}
	}
	if last, _ := f.lastOf("MKIO_EVENTS"); last != 3 {
		t.Errorf("the log ends at %d", last)
	}
	if last, _ := f.lastOf("MKIO_UNAPPLIED"); last != 0 {
		t.Errorf("%d deliveries were stored", last)
	}
	f.want(p, delivery(channel, "Stopped", 6), lifecycle.Changed) // which would be out of order after the flap at 7
}

func TestPreviewReadsEventsOfOtherBridges(t *testing.T) {
	f := setUp(t)
	p, other := f.publisher(false, nil), f.publisher(false, nil)
	channel := key(t, lifecycle.LiveChannel, "c")
	f.want(p, delivery(channel, "Running", 1), lifecycle.Changed)
	f.want(other, delivery(channel, "Stopped", 5), lifecycle.Changed)
	if v, err := p.Preview(t.Context(), delivery(channel, "Starting", 3)); err != nil || v.Outcome != lifecycle.Late {
		t.Errorf("%s (%s), %v", v.Outcome, v.Why, err)
	}
}

// A bridge without rechecks takes deliveries in order of arrival. A retried delivery arrived long ago.
func TestRetriedDeliveryIsNotOrderedByArrival(t *testing.T) {
	for _, kind := range []lifecycle.Kind{lifecycle.LiveChannel, lifecycle.ChannelInstance} {
		f := setUp(t)
		p := f.publisher(kind == lifecycle.LiveChannel, nil)
		k := key(t, kind, "c")
		f.want(p, delivery(k, "Running", 5), lifecycle.Changed)
		retried := delivery(k, "Stopped", 5)
		retried.Retried = true
		f.want(p, retried, lifecycle.Conflict)
		if v, err := p.Preview(t.Context(), retried); err != nil || v.Outcome != lifecycle.Conflict {
			t.Errorf("%s: preview: %s (%s), %v", kind, v.Outcome, v.Why, err)
		}
		f.wantStates("Running")
		retried.Retried = false
		f.want(p, retried, lifecycle.Changed)
		f.wantStates("Running", "Stopped")
	}
}

func TestDeleteUnapplied(t *testing.T) {
	defer brokertest.StartServerClock()()
	synctest.Test(t, func(t *testing.T) { // the waits are virtual
		f := setUp(t)
		p := f.publisher(false, nil)
		for _, body := range []string{"one", "two", "three"} {
			if err := p.StoreUnapplied(t.Context(), unapplied(body)); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // another bridge may have been first
			if err := p.DeleteUnapplied(t.Context(), 2); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.DeleteUnapplied(t.Context(), 99); err != nil {
			t.Errorf("a sequence without a delivery: %v", err)
		}
		if all := storedUnapplied(t, f); len(all) != 2 || string(all[0].Body) != "one" || string(all[1].Body) != "three" {
			t.Errorf("stored %+v", all)
		}
		if err := p.StoreUnapplied(t.Context(), unapplied("two")); err != nil { // delivered again
			t.Fatal(err)
		}
		if _, held := f.lastOf("MKIO_UNAPPLIED"); held != 3 {
			t.Errorf("%d are stored", held)
		}
		f.server.Shutdown()
		if err := p.DeleteUnapplied(t.Context(), 1); !errors.Is(err, publish.ErrUnavailable) {
			t.Errorf("without JetStream: %v", err)
		}
	})
}

// A retried delivery arrived before now, so its lag behind a poll is not measured.
func TestRetryRecordsNoWebhookLag(t *testing.T) {
	f := setUp(t)
	p := f.publisher(false, nil)
	job := key(t, lifecycle.Job, "t", "n")
	f.want(p, delivery(job, "Processing", 1), lifecycle.Changed)
	seen := delivery(job, "Finished", 2)
	basis := uint64(1)
	seen.Via, seen.Delivery, seen.Basis = lifecycle.Poll, nil, &basis
	f.want(p, seen, lifecycle.Changed)
	for _, retried := range []bool{true, false} {
		o := delivery(job, "Finished", 2)
		o.Retried = retried
		f.want(p, o, lifecycle.Repeat)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(p.Collectors()...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "mkio_bridge_webhook_lag_seconds" {
			if n := family.GetMetric()[0].GetHistogram().GetSampleCount(); n != 0 {
				t.Errorf("%d lags were measured", n)
			}
		}
	}
}

// A new life ends the recorded one with a Deleted event. The observation itself follows even if that event has no time,
// because MK.IO gave no creation time of the new life: no recheck would find it later.
func TestNewLifeEndsTheRecordedLife(t *testing.T) {
	for _, retried := range []bool{true, false} {
		f := setUp(t)
		p := f.publisher(false, nil)
		channel := key(t, lifecycle.LiveChannel, "c")
		f.want(p, delivery(channel, "Running", 1), lifecycle.Changed)
		next := delivery(channel, "Starting", 5)
		next.Life, next.Retried = "life-2", retried
		f.want(p, next, lifecycle.Changed)
		f.wantStates("Running", "Deleted", "Starting")
	}
}
