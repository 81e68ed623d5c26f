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

// A watcher is a bridge's publisher that follows a log to which another bridge writes.
type watcher struct {
	*Publisher
	t         *testing.T
	other     *Publisher
	events    chan lifecycle.Fact // what its tail told
	meanwhile atomic.Pointer[overtaking]
}

// An overtaking is what the other bridge is told once the stream has answered a question for the last message of a subject,
// before anything is made of the answer.
type overtaking struct {
	subject string
	o       lifecycle.Observation
}

func watch(t *testing.T) *watcher {
	t.Helper()
	both := bridges(t, 2)
	w := &watcher{Publisher: both[0], t: t, other: both[1], events: make(chan lifecycle.Fact, 10)}
	ask := w.reader.get
	w.reader.get = func(ctx context.Context, stream string, request map[string]any) (*stored, error) {
		m, err := ask(ctx, stream, request)
		w.answered(request["last_by_subj"])
		return m, err
	}
	w.reader.js = answering{w.reader.js, w}
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

// answered has the other bridge overtake, where the stream has just answered a question for that subject.
func (w *watcher) answered(subject any) {
	if next := w.meanwhile.Load(); next != nil && subject == next.subject {
		w.meanwhile.Store(nil)
		w.write(w.other, next.o) // and the tail tells of it
	}
}

// answering is a JetStream whose refusals are answers as well: they say where a subject ends.
type answering struct {
	jetstream.JetStream
	w *watcher
}

func (a answering) PublishMsg(ctx context.Context, m *nats.Msg, options ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	ack, err := a.JetStream.PublishMsg(ctx, m, options...)
	a.w.answered(m.Header.Get(jetstream.ExpectedLastSubjSeqSubjHeader))
	return ack, err
}

// write has an event written, and waits for the tail to tell of it.
func (w *watcher) write(p *Publisher, o lifecycle.Observation) {
	w.t.Helper()
	if v, err := p.Observe(w.t.Context(), o); err != nil || v.Outcome != lifecycle.Changed {
		w.t.Fatalf("%s %q: %+v, %v", o.Key, o.State, v, err)
	}
	select {
	case fact := <-w.events:
		if fact.State != o.State {
			w.t.Fatalf("the tail told of %q, want %q", fact.State, o.State)
		}
	case <-time.After(30 * time.Second):
		w.t.Fatalf("the tail tells nothing of %q", o.State)
	}
}

// channel is a delivery that tells of a channel's state.
func channel(state string, minute int) lifecycle.Observation {
	key, _ := lifecycle.NewKey(lifecycle.LiveChannel, "p", "c")
	at := time.Date(2031, 3, 4, 12, minute, 0, 0, time.UTC)
	return lifecycle.Observation{
		Key: key, State: state, At: at, Via: lifecycle.Webhook, Source: "/s", Subject: "s", Life: "l",
		Delivery: &lifecycle.Delivery{ID: state + at.String(), Type: "x", Time: at, Received: at},
	}
}

// Polls rest on memory: one that went back behind the log would take a change back to the old state for none, for good.
func TestAStateToldAgainDoesNotReplaceWhatCameMeanwhile(t *testing.T) {
	w := watch(t)
	w.write(w.Publisher, channel("Running", 1))
	resource := w.Token(channel("", 0).Key)
	w.meanwhile.Store(&overtaking{w.names.Filter(resource), channel("Stopped", 4)})
	if v, err := w.Observe(t.Context(), channel("Running", 3)); err != nil || v.Outcome != lifecycle.Flap {
		t.Fatalf("%+v, %v", v, err)
	}
	fact := w.Last(resource)
	if fact.Sequence != 2 || fact.State != "Stopped" {
		t.Errorf("event %d, %q, is remembered, and the log ends at 2, Stopped", fact.Sequence, fact.State)
	}
	seen := channel("Running", 5)
	seen.Via, seen.At, seen.Delivery, seen.Basis = lifecycle.Poll, time.Time{}, nil, &fact.Sequence
	seen.SeenAfter, seen.SeenBefore = channel("", 5).At, channel("", 6).At
	w.write(w.Publisher, seen)
}

// What a sweep does not know it does not miss.
func TestWhatTheStreamDidNotHaveYetIsNotForgotten(t *testing.T) {
	w := watch(t)
	resource := w.Token(channel("", 0).Key)
	w.meanwhile.Store(&overtaking{w.names.StateSubject(resource), channel("Stopped", 4)})
	if _, err := w.Preview(t.Context(), channel("Running", 3)); err != nil {
		t.Fatal(err)
	}
	if fact := w.Last(resource); fact == nil || fact.Sequence != 1 {
		t.Errorf("%+v is remembered of an event that the tail told", fact)
	}
}
