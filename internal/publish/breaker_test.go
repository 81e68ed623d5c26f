package publish_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
)

// mute is a JetStream that answers no write while it is silent.
type mute struct {
	jetstream.JetStream
	silent atomic.Bool
	writes atomic.Int64 // that got no answer
}

func (m *mute) PublishMsg(ctx context.Context, msg *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if m.silent.Load() {
		m.writes.Add(1)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return m.JetStream.PublishMsg(ctx, msg, opts...)
}

func (m *mute) Publish(ctx context.Context, subject string, data []byte, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	return m.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: data}, opts...)
}

func (m *mute) wrap(js jetstream.JetStream) jetstream.JetStream { m.JetStream = js; return m }

// Only those who come before it is known wait for a JetStream that says nothing; who waits behind them for a turn
// leaves with them, and all goes on by itself, also when nobody delivers.
func TestASilentJetStreamIsWaitedForOnce(t *testing.T) {
	defer brokertest.HoldClock()()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t)
		var js mute
		p := f.publisher(false, js.wrap)
		if err := p.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		follow(t, p)
		job := key(t, lifecycle.Job, "t", "n")
		f.want(p, told(job, "Queued", 1), lifecycle.Changed)
		js.silent.Store(true)

		began := time.Now()
		refusedWithin := func(most time.Duration, o lifecycle.Observation) {
			if _, err := f.observe(p, o); !errors.Is(err, publish.ErrUnavailable) {
				t.Errorf("%s: %v", o.Key, err)
			}
			if took := time.Since(began); took > most {
				t.Errorf("%s: refused after %s, want %s", o.Key, took, most)
			}
		}
		var wg sync.WaitGroup
		for range 50 { // one writes, the others wait for their turn
			wg.Go(func() { refusedWithin(4*time.Second, told(job, "Processing", 2)) })
		}
		wg.Wait()
		if err := p.Trouble(); err == nil || !strings.Contains(err.Error(), "since ") || !strings.Contains(err.Error(), "publish to mkio.job") {
			t.Errorf("the trouble is %v", err)
		}
		began = time.Now()
		for i := range 1000 {
			refusedWithin(0, told(key(t, lifecycle.Job, "t", fmt.Sprint(i)), "Queued", 1))
		}
		if err := p.StoreUnapplied(t.Context(), unapplied("one")); !errors.Is(err, publish.ErrUnavailable) || time.Since(began) > 0 {
			t.Errorf("StoreUnapplied: %v after %s", err, time.Since(began))
		}
		if err := p.Ready(t.Context()); err == nil {
			t.Error("ready while nothing can be stored")
		}
		if n := js.writes.Load(); n > 10 {
			t.Errorf("%d writes were made in vain", n)
		}

		js.silent.Store(false)
		time.Sleep(5 * time.Second)
		if err := p.Ready(t.Context()); err != nil {
			t.Errorf("not ready again: %v", err)
		}
		f.want(p, told(job, "Processing", 3), lifecycle.Changed)
		f.wantStates("Queued", "Processing")
	})
}

// Where a probe succeeds and writes fail all the same, what is let through becomes less and less.
func TestAGateThatShutsAgainStaysShutLonger(t *testing.T) {
	defer brokertest.HoldClock()()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t)
		var writes atomic.Int64
		p := f.publisher(false, func(js jetstream.JetStream) jetstream.JetStream { return &deaf{js, &writes} })
		if err := p.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		follow(t, p)
		for minute := range 600 {
			if _, err := f.observe(p, told(key(t, lifecycle.Job, "t", "n"), "Queued", minute)); err == nil {
				t.Fatal("it was stored")
			}
			time.Sleep(time.Second)
		}
		if n := writes.Load(); n < 5 || n > 60 {
			t.Errorf("%d writes in ten minutes", n)
		}
	})
}

// deaf is a JetStream that answers writes of events alone with nothing.
type deaf struct {
	jetstream.JetStream
	writes *atomic.Int64
}

func (d *deaf) PublishMsg(ctx context.Context, msg *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if strings.HasPrefix(msg.Subject, "mkio.job.") {
		d.writes.Add(1)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return d.JetStream.PublishMsg(ctx, msg, opts...)
}

// What is wrong with one event, or with what becomes none, holds up no other.
func TestOneResourcesTroubleShutsNothing(t *testing.T) {
	f := setUp(t)
	p := f.publisher(false, func(js jetstream.JetStream) jetstream.JetStream {
		return &spoiled{JetStream: js, instead: nats.ErrMaxPayload}
	})
	if _, err := f.js.Publish(t.Context(), "mkio.job.aurora-vod.t.foreign.queued", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"large", "foreign"} {
		if _, err := f.observe(p, told(key(t, lifecycle.Job, "t", name), "Processing", 1)); name == "foreign" && err == nil {
			t.Errorf("%s was stored", name)
		}
		if err := p.Trouble(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	_, _ = p.Observe(gone, told(key(t, lifecycle.Job, "t", "nobody-waits"), "Processing", 1))
	if err := p.Trouble(); err != nil {
		t.Errorf("somebody left: %v", err)
	}
	f.told = nil
	f.want(p, told(key(t, lifecycle.Job, "t", "well"), "Processing", 1), lifecycle.Changed)
}

func TestAFullStreamOfWhatBecameNoEventIsNoReasonNotToBeReady(t *testing.T) {
	f := setUp(t)
	p := f.publisher(false, nil)
	stream, err := f.js.Stream(t.Context(), names.UnappliedStream())
	if err != nil {
		t.Fatal(err)
	}
	full := stream.CachedInfo().Config
	full.MaxBytes = 1 << 10
	if _, err := f.js.UpdateStream(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	if err := p.StoreUnapplied(t.Context(), unapplied(strings.Repeat("x", 2<<10))); !errors.Is(err, publish.ErrUnavailable) || !strings.Contains(err.Error(), "purge") {
		t.Errorf("kept without room: %v", err)
	}
	if err := p.Ready(t.Context()); err != nil {
		t.Errorf("not ready: %v", err)
	}
	f.want(p, told(key(t, lifecycle.Job, "t", "n"), "Queued", 1), lifecycle.Changed)
}
