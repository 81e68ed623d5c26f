package publish

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/lifecycle"
)

// A watcher is a publisher that follows a log to which another bridge writes.
type watcher struct {
	*Publisher
	t           *testing.T
	other       *Publisher
	events      chan lifecycle.Fact // from its tail
	interleaved atomic.Pointer[interleavedWrite]
}

// An interleavedWrite is a write of the other bridge between a read of a subject's last message and the use of the result.
type interleavedWrite struct {
	subject string
	o       lifecycle.Observation
}

func watch(t *testing.T) *watcher {
	t.Helper()
	both := bridges(t, 2)
	w := &watcher{Publisher: both[0], t: t, other: both[1], events: make(chan lifecycle.Fact, 10)}
	get := w.reader.get
	w.reader.get = func(ctx context.Context, stream string, request map[string]any) (*storedMessage, error) {
		m, err := get(ctx, stream, request)
		w.afterReply(request["last_by_subj"])
		return m, err
	}
	w.reader.js = replyHook{w.reader.js, w}
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	following, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Follow(following, func(_ string, fact lifecycle.Fact) { w.events <- fact })
	}()
	t.Cleanup(func() { stop(); <-ended })
	return w
}

// afterReply makes the other bridge write, if the stream has just replied about the subject.
func (w *watcher) afterReply(subject any) {
	if next := w.interleaved.Load(); next != nil && subject == next.subject {
		w.interleaved.Store(nil)
		w.write(w.other, next.o) // and the tail caches it
	}
}

// replyHook is a JetStream that runs afterReply after each write as well: a refusal contains the last sequence of a subject.
type replyHook struct {
	jetstream.JetStream
	w *watcher
}

func (a replyHook) PublishMsg(ctx context.Context, m *nats.Msg, options ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	ack, err := a.JetStream.PublishMsg(ctx, m, options...)
	a.w.afterReply(m.Header.Get(jetstream.ExpectedLastSubjSeqSubjHeader))
	return ack, err
}

// write makes a publisher write an event, and waits until the tail has received it.
func (w *watcher) write(p *Publisher, o lifecycle.Observation) {
	w.t.Helper()
	if v, err := p.Observe(w.t.Context(), o); err != nil || v.Outcome != lifecycle.Changed {
		w.t.Fatalf("%s %q: %+v, %v", o.Key, o.State, v, err)
	}
	select {
	case fact := <-w.events:
		if fact.State != o.State {
			w.t.Fatalf("the tail received %q, want %q", fact.State, o.State)
		}
	case <-time.After(30 * time.Second):
		w.t.Fatalf("the tail did not receive %q", o.State)
	}
}

// channel is a delivery about a channel.
func channel(state string, minute int) lifecycle.Observation {
	key, _ := lifecycle.NewKey(lifecycle.LiveChannel, "p", "c")
	at := time.Date(2031, 3, 4, 12, minute, 0, 0, time.UTC)
	return lifecycle.Observation{
		Key: key, State: state, At: at, Via: lifecycle.Webhook, Source: "/s", Subject: "s", Life: "l",
		Delivery: &lifecycle.Delivery{ID: state + at.String(), Type: "x", Time: at, Received: at},
	}
}

// Polls are compared with the cache. If a flap put an older head back, a change back to the older state would never be
// recorded.
func TestFlapDoesNotReplaceANewerHead(t *testing.T) {
	w := watch(t)
	w.write(w.Publisher, channel("Running", 1))
	resource := w.Token(channel("", 0).Key)
	w.interleaved.Store(&interleavedWrite{w.names.Filter(resource), channel("Stopped", 4)})
	if v, err := w.Observe(t.Context(), channel("Running", 3)); err != nil || v.Outcome != lifecycle.Flap {
		t.Fatalf("%+v, %v", v, err)
	}
	fact := w.Last(resource)
	if fact.Sequence != 2 || fact.State != "Stopped" {
		t.Errorf("event %d, %q, is cached, and the log ends at 2, Stopped", fact.Sequence, fact.State)
	}
	seen := channel("Running", 5)
	seen.Via, seen.At, seen.Delivery, seen.Basis = lifecycle.Poll, time.Time{}, nil, &fact.Sequence
	seen.SeenAfter, seen.SeenBefore = channel("", 5).At, channel("", 6).At
	w.write(w.Publisher, seen)
}

// A sweep detects the deletion of cached resources only, so a head must not be removed by a read that raced with its event.
func TestRemoveKeepsAHeadThatJustArrived(t *testing.T) {
	w := watch(t)
	resource := w.Token(channel("", 0).Key)
	w.interleaved.Store(&interleavedWrite{w.names.StateSubject(resource), channel("Stopped", 4)})
	if _, err := w.Preview(t.Context(), channel("Running", 3)); err != nil {
		t.Fatal(err)
	}
	if fact := w.Last(resource); fact == nil || fact.Sequence != 1 {
		t.Errorf("%+v is cached after the tail received event 1", fact)
	}
}
