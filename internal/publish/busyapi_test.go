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

// busyAPI is a JetStream whose API does not answer about streams while it is busy, and which takes no writes while it is
// silent.
type busyAPI struct {
	mute
	busy  atomic.Bool
	asked atomic.Int64 // requests that were not answered
}

func (b *busyAPI) wrap(js jetstream.JetStream) jetstream.JetStream { b.JetStream = js; return b }

func (b *busyAPI) Stream(ctx context.Context, name string) (jetstream.Stream, error) {
	if b.busy.Load() {
		b.asked.Add(1)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return b.JetStream.Stream(ctx, name)
}

// followed returns a publisher on a busy API, which follows the log.
func (b *busyAPI) followed(f *fixture) *publish.Publisher {
	f.t.Helper()
	p := f.publisher(false, b.wrap)
	if err := p.Load(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	follow(f.t, p)
	return p
}

// Readers share JetStream's API with the bridge, and a burst of theirs keeps it busy for minutes: the bridge goes on
// storing, says that it is ready, and asks rarely.
func TestAnAPIThatDoesNotAnswerStopsNoDelivery(t *testing.T) {
	defer brokertest.HoldClock()()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t)
		var js busyAPI
		p := js.followed(f)
		f.ready(p)
		js.busy.Store(true)
		for i := range 300 {
			f.want(p, told(key(t, lifecycle.Job, "t", fmt.Sprint(i)), "Queued", 1), lifecycle.Changed)
			f.ready(p)
			if err := p.Trouble(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if n := js.asked.Load(); n > 6*10 { // six streams, each half minute
			t.Errorf("JetStream's API was asked %d times in five minutes", n)
		}
	})
}

// What took no writes and takes them again is used again, also while the API does not answer.
func TestWritesThatWorkAgainAreEnoughThoughTheAPIDoesNotAnswer(t *testing.T) {
	defer brokertest.HoldClock()()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t)
		var js busyAPI
		p := js.followed(f)
		job := key(t, lifecycle.Job, "t", "n")
		f.want(p, told(job, "Queued", 1), lifecycle.Changed)
		js.busy.Store(true)
		js.silent.Store(true)
		if _, err := f.observe(p, told(job, "Processing", 2)); !errors.Is(err, publish.ErrUnavailable) {
			t.Errorf("a write without an answer: %v", err)
		}
		if p.Trouble() == nil {
			t.Error("a write without an answer is no trouble")
		}
		js.silent.Store(false)
		time.Sleep(10 * time.Second)
		f.ready(p)
		f.want(p, told(job, "Processing", 3), lifecycle.Changed)
		f.wantStates("Queued", "Processing")
	})
}

// A JetStream that is gone is noticed though nothing is written and nobody asks: surveys that are not answered have a write
// tried.
func TestASilentJetStreamIsNoticedThoughNothingIsWritten(t *testing.T) {
	defer brokertest.HoldClock()()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t)
		var js busyAPI
		p := js.followed(f)
		js.busy.Store(true)
		js.silent.Store(true)
		time.Sleep(2 * time.Minute)
		if p.Trouble() == nil {
			t.Error("nothing is wrong with a JetStream that says nothing")
		}
	})
}
