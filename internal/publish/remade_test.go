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

// remake deletes streams, and makes again what is missing.
func (f *fixture) remake(deleted ...string) {
	f.t.Helper()
	for _, name := range deleted {
		if err := f.js.DeleteStream(f.t.Context(), name); err != nil {
			f.t.Fatal(err)
		}
	}
	if err := streams.Ensure(f.t.Context(), f.js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
		f.t.Fatal(err)
	}
	f.told = nil
}

// A log that somebody deleted holds nothing, whatever a bridge remembers of it.
func TestNothingIsARepeatOfALogThatIsNoMore(t *testing.T) {
	f := setUp(t)
	p := f.publisher(false, nil)
	job := key(t, lifecycle.Job, "ladder-hd", "ep-0417")
	started := told(job, "Processing", 1)
	f.want(p, started, lifecycle.Changed)
	f.remake(names.StateStream(), names.EventStream())
	f.want(p, started, lifecycle.Changed)
	f.wantStates("Processing")
}

func TestALogThatWasMadeAgainIsReadAgain(t *testing.T) {
	defer brokertest.HoldClock()()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t)
		p := f.publisher(false, nil)
		job := key(t, lifecycle.Job, "ladder-hd", "ep-0417")
		f.want(p, told(job, "Processing", 1), lifecycle.Changed)
		if err := p.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		follow(t, p)
		f.remake(names.StateStream(), names.EventStream())
		time.Sleep(2 * time.Minute)
		if fact, known := p.Recorded(job); known {
			t.Errorf("%+v is remembered of a log that is no more", fact)
		}
		f.want(f.publisher(false, nil), told(job, "Finished", 2), lifecycle.Changed)
		time.Sleep(time.Minute)
		if fact, _ := p.Recorded(job); fact.State != "Finished" {
			t.Errorf("%+v is remembered", fact)
		}
	})
}

// The state bucket goes on where it was in the log: with another log it would stay as it is.
func TestAStateBucketOfAnotherLogIsRefused(t *testing.T) {
	f := setUp(t)
	p := f.publisher(false, nil)
	channel := key(t, lifecycle.LiveChannel, "news-247")
	for minute, state := range []string{"Starting", "Running", "Stopped"} {
		f.want(p, told(channel, state, minute), lifecycle.Changed)
	}
	if err := p.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.remake(names.EventStream())
	err := f.publisher(false, nil).Load(t.Context())
	if err == nil || !strings.Contains(err.Error(), "delete "+names.StateStream()) {
		t.Errorf("Load: %v", err)
	}
}
