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

// silentJetStream is a JetStream that acknowledges no write while it is silent.
type silentJetStream struct {
	jetstream.JetStream
	silent atomic.Bool
	writes atomic.Int64 // unanswered
}

func (m *silentJetStream) PublishMsg(ctx context.Context, msg *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if m.silent.Load() {
		m.writes.Add(1)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return m.JetStream.PublishMsg(ctx, msg, opts...)
}

func (m *silentJetStream) Publish(ctx context.Context, subject string, data []byte, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	return m.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: data}, opts...)
}

func (m *silentJetStream) wrap(js jetstream.JetStream) jetstream.JetStream {
	m.JetStream = js
	return m
}

// Only the first writers wait for a JetStream that does not respond. Callers that wait for the same resource's lock are
// refused with them. The breaker closes by itself, also without deliveries.
func TestBreakerOpensOnASilentJetStream(t *testing.T) {
	defer brokertest.StartServerClock()()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t)
		var js silentJetStream
		p := f.publisher(false, js.wrap)
		if err := p.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		follow(t, p)
		job := key(t, lifecycle.Job, "t", "n")
		f.want(p, delivery(job, "Queued", 1), lifecycle.Changed)
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
		for range 50 { // one writes, the others wait for the lock
			wg.Go(func() { refusedWithin(4*time.Second, delivery(job, "Processing", 2)) })
		}
		wg.Wait()
		if err := p.Unavailable(); err == nil || !strings.Contains(err.Error(), "since ") || !strings.Contains(err.Error(), "publish to mkio.job") {
			t.Errorf("the store error is %v", err)
		}
		began = time.Now()
		for i := range 1000 {
			refusedWithin(0, delivery(key(t, lifecycle.Job, "t", fmt.Sprint(i)), "Queued", 1))
		}
		if err := p.StoreUnapplied(t.Context(), unapplied("one")); !errors.Is(err, publish.ErrUnavailable) || time.Since(began) > 0 {
			t.Errorf("StoreUnapplied: %v after %s", err, time.Since(began))
		}
		if err := p.Ready(t.Context()); err == nil {
			t.Error("ready while nothing can be stored")
		}
		if n := js.writes.Load(); n > 10 {
			t.Errorf("%d writes were not acknowledged", n)
		}

		js.silent.Store(false)
		time.Sleep(5 * time.Second)
		if err := p.Ready(t.Context()); err != nil {
			t.Errorf("not ready again: %v", err)
		}
		f.want(p, delivery(job, "Processing", 3), lifecycle.Changed)
		f.wantStates("Queued", "Processing")
	})
}

// Where probes succeed but writes of events fail, the breaker closes less and less often.
func TestBreakerBacksOffWhenWritesKeepFailing(t *testing.T) {
	defer brokertest.StartServerClock()()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t)
		var writes atomic.Int64
		p := f.publisher(false, func(js jetstream.JetStream) jetstream.JetStream { return &silentLog{js, &writes} })
		if err := p.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		follow(t, p)
		for minute := range 600 {
			if _, err := f.observe(p, delivery(key(t, lifecycle.Job, "t", "n"), "Queued", minute)); err == nil {
				t.Fatal("the event was stored")
			}
			time.Sleep(time.Second)
		}
		if n := writes.Load(); n < 5 || n > 60 {
			t.Errorf("%d writes in ten minutes", n)
		}
	})
}

// silentLog is a JetStream that does not acknowledge writes of events.
type silentLog struct {
	jetstream.JetStream
	writes *atomic.Int64
}

func (d *silentLog) PublishMsg(ctx context.Context, msg *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if strings.HasPrefix(msg.Subject, "mkio.job.") {
		d.writes.Add(1)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return d.JetStream.PublishMsg(ctx, msg, opts...)
}

// Errors that concern one event only do not open the breaker.
func TestErrorsOfOneEventDoNotOpenTheBreaker(t *testing.T) {
	f := setUp(t)
	p := f.publisher(false, func(js jetstream.JetStream) jetstream.JetStream {
		return &faultyJetStream{JetStream: js, instead: nats.ErrMaxPayload}
	})
	if _, err := f.js.Publish(t.Context(), "mkio.job.aurora-vod.t.foreign.queued", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"large", "foreign"} {
		if _, err := f.observe(p, delivery(key(t, lifecycle.Job, "t", name), "Processing", 1)); name == "foreign" && err == nil {
			t.Errorf("%s was stored", name)
		}
		if err := p.Unavailable(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = p.Observe(gone, delivery(key(t, lifecycle.Job, "t", "nobody-waits"), "Processing", 1))
	if err := p.Unavailable(); err != nil {
		t.Errorf("after a canceled write: %v", err)
	}
	f.delivered = nil
	f.want(p, delivery(key(t, lifecycle.Job, "t", "well"), "Processing", 1), lifecycle.Changed)
}

func TestReadyWhileUnappliedIsFull(t *testing.T) {
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
		t.Errorf("stored in a full stream: %v", err)
	}
	if err := p.Ready(t.Context()); err != nil {
		t.Errorf("not ready: %v", err)
	}
	f.want(p, delivery(key(t, lifecycle.Job, "t", "n"), "Queued", 1), lifecycle.Changed)
}
