package publish_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
)

// busyAPI is a JetStream whose API does not respond to queries of streams while it is busy, and acknowledges no writes while
// it is silent.
type busyAPI struct {
	silentJetStream
	busy       atomic.Bool
	unanswered atomic.Int64 // requests
}

func (b *busyAPI) wrap(js jetstream.JetStream) jetstream.JetStream { b.JetStream = js; return b }

func (b *busyAPI) Stream(ctx context.Context, name string) (jetstream.Stream, error) {
	if b.busy.Load() {
		b.unanswered.Add(1)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return b.JetStream.Stream(ctx, name)
}

// following returns a publisher on a busy API, which follows the log.
func (b *busyAPI) following(f *fixture) *publish.Publisher {
	f.t.Helper()
	p := f.publisher(false, b.wrap)
	if err := p.Load(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	follow(f.t, p)
	return p
}

// Readers share JetStream's API with the bridge, and a burst of requests may keep it busy for minutes: the bridge continues
// to store, stays ready, and queries rarely.
func TestBusyAPIDoesNotStopDeliveries(t *testing.T) {
	defer brokertest.StartServerClock()()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t)
		var js busyAPI
		p := js.following(f)
		f.ready(p)
		js.busy.Store(true)
		for i := range 300 {
			f.want(p, delivery(key(t, lifecycle.Job, "t", fmt.Sprint(i)), "Queued", 1), lifecycle.Changed)
			f.ready(p)
			if err := p.Unavailable(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if n := js.unanswered.Load(); n > 6*10 { // six streams, every 30 seconds
			t.Errorf("%d queries of JetStream's API in five minutes", n)
		}
	})
}

// Once JetStream accepts writes again, the breaker closes, also while the API does not respond.
func TestBreakerClosesWhileTheAPIIsBusy(t *testing.T) {
	defer brokertest.StartServerClock()()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t)
		var js busyAPI
		p := js.following(f)
		job := key(t, lifecycle.Job, "t", "n")
		f.want(p, delivery(job, "Queued", 1), lifecycle.Changed)
		js.busy.Store(true)
		js.silent.Store(true)
		if _, err := f.observe(p, delivery(job, "Processing", 2)); !errors.Is(err, publish.ErrUnavailable) {
			t.Errorf("a write without a response: %v", err)
		}
		if p.Unavailable() == nil {
			t.Error("an unanswered write did not open the breaker")
		}
		js.silent.Store(false)
		time.Sleep(10 * time.Second)
		f.ready(p)
		f.want(p, delivery(job, "Processing", 3), lifecycle.Changed)
		f.wantStates("Queued", "Processing")
	})
}

// A JetStream that does not respond is detected without writes and readiness checks: after an unanswered survey the watchdog
// probes.
func TestSilentJetStreamIsDetectedWithoutWrites(t *testing.T) {
	defer brokertest.StartServerClock()()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t)
		var js busyAPI
		p := js.following(f)
		js.busy.Store(true)
		js.silent.Store(true)
		time.Sleep(2 * time.Minute)
		if p.Unavailable() == nil {
			t.Error("the breaker is closed though JetStream does not respond")
		}
	})
}
