// Package eventlog holds the readers of the event log: what happened (from the log, from a point in
// time or of it, live if wanted) and what is (the last event of each resource, from the state bucket).
//
// It reads NATS alone and never MK.IO. Filters work on the server, by subject; a name too long to
// stand in a subject is compared here. Reading is by pull, in batches, and in order; a reader that
// loses its connection goes on where it was. Nothing is held but the batch under way.
package eventlog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// A Log reads the events under one prefix.
type Log struct {
	js    jetstream.JetStream
	names event.Names
	ahead ahead
}

// ahead is how many messages are fetched before they are read: asked for, and waiting.
type ahead struct{ pull, wait int }

var (
	fast    = ahead{500, 256}
	sparing = ahead{32, 8}
)

// New returns a reader. Streams are looked up when they are read.
func New(js jetstream.JetStream, names event.Names) *Log {
	return &Log{js: js, names: names, ahead: fast}
}

// Sparing returns a reader of the same for where many may read at a time, and slowly: it fetches less ahead.
func (l *Log) Sparing() *Log { return &Log{js: l.js, names: l.names, ahead: sparing} }

// Names are those of all that it reads.
func (l *Log) Names() event.Names { return l.names }

// Stream looks the event log itself up, as it is now.
func (l *Log) Stream(ctx context.Context) (*jetstream.StreamInfo, error) {
	stream, err := l.js.Stream(ctx, l.names.EventStream())
	if err != nil {
		return nil, l.explain(ctx, l.names.EventStream(), err)
	}
	return stream.CachedInfo(), nil
}

// A Raw is one event as it lies in the log, with its place there. To take it apart costs more than to read it.
type Raw struct {
	Sequence uint64
	Stored   time.Time
	Subject  string
	Pending  uint64 // how many follow that the query may choose; 0 to a follower, where only the payloads tell which it does
	Header   nats.Header
	Payload  []byte
}

// An Entry is one event with its place in the log.
type Entry struct {
	Raw
	Fact  lifecycle.Fact
	Event event.Event
}

// Decode takes an event apart.
func (r Raw) Decode() (Entry, error) {
	e := Entry{Raw: r}
	var err error
	if e.Fact, err = event.FactOf(r.Header, r.Sequence); err != nil {
		return e, err
	}
	if e.Event, err = event.Decode(r.Payload); err != nil {
		return e, fmt.Errorf("message %d on %s: %w", r.Sequence, r.Subject, err)
	}
	return e, nil
}

// Raw returns the events that a query chooses, oldest first, as they are. The sequence ends after an error.
func (l *Log) Raw(ctx context.Context, q Query) iter.Seq2[Raw, error] {
	if q.Follow && !q.Until.IsZero() {
		return l.followUntil(ctx, q)
	}
	return l.raw(ctx, q)
}

// raw is [Log.Raw] but for the end of a period that is followed.
func (l *Log) raw(ctx context.Context, q Query) iter.Seq2[Raw, error] {
	config := jetstream.OrderedConsumerConfig{FilterSubjects: l.filters(q, true)}
	switch {
	case q.From > 0:
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, q.From
	case !q.Since.IsZero() && q.By != ByTime:
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &q.Since
	}
	return l.read(ctx, l.names.EventStream(), config, q, func(m message) (Raw, error) {
		return Raw{m.meta.Sequence.Stream, m.meta.Timestamp, m.Subject(), m.meta.NumPending, m.Headers(), m.Data()}, nil
	})
}

// Events returns the events that a query chooses, oldest first. The sequence ends after an error.
func (l *Log) Events(ctx context.Context, q Query) iter.Seq2[Entry, error] {
	return decoded(l.Raw(ctx, q))
}

// RawState returns the last event of each resource that a query chooses, as it is. From, Since, Until and Follow
// do not apply; State and Phase choose among the last events.
func (l *Log) RawState(ctx context.Context, q Query) iter.Seq2[Raw, error] {
	config := jetstream.OrderedConsumerConfig{FilterSubjects: l.filters(q, false)}
	q = Query{Kind: q.Kind, Project: q.Project, Name: q.Name, State: q.State, Phase: q.Phase, Resource: q.Resource}
	return l.read(ctx, l.names.StateStream(), config, q, func(m message) (Raw, error) {
		return l.ofState(m.Subject(), m.Headers(), m.Data(), m.meta.Timestamp, m.meta.NumPending)
	})
}

// State returns the last event of each resource that a query chooses, as [Log.RawState] does.
func (l *Log) State(ctx context.Context, q Query) iter.Seq2[Entry, error] {
	return decoded(l.RawState(ctx, q))
}

// ofState is an event as the state bucket has it, with its place in the log.
func (l *Log) ofState(key string, header nats.Header, payload []byte, stored time.Time, pending uint64) (Raw, error) {
	fact, err := event.FactOfState(header)
	if err != nil {
		return Raw{}, fmt.Errorf("%s: %w", key, err)
	}
	resource := strings.TrimPrefix(key, l.names.StateSubject(""))
	return Raw{fact.Sequence, stored, l.names.Subject(resource, fact.State), pending, header, payload}, nil
}

// Current returns the last event of one resource; ok is false when it has none.
func (l *Log) Current(ctx context.Context, key lifecycle.Key) (entry Entry, ok bool, err error) {
	stream, err := l.js.Stream(ctx, l.names.StateStream())
	if err != nil {
		return Entry{}, false, l.explain(ctx, l.names.StateStream(), err)
	}
	m, err := stream.GetLastMsgForSubject(ctx, l.names.StateSubject(l.names.Resource(key)))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Entry{}, false, nil
	}
	if err != nil {
		return Entry{}, false, fmt.Errorf("read %s: %w", l.names.StateStream(), err)
	}
	raw, err := l.ofState(m.Subject, m.Header, m.Data, m.Time, 0)
	if err == nil {
		entry, err = raw.Decode()
	}
	return entry, err == nil, err
}

// Watch returns the last event of a resource, where there is one, and then each that comes, until the context ends.
// Nothing between the two is missed.
func (l *Log) Watch(ctx context.Context, key lifecycle.Key) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		entry, ok, err := l.Current(ctx, key)
		if (ok || err != nil) && !yield(entry, err) || err != nil {
			return
		}
		for e, err := range l.Events(ctx, Query{Resource: &key, From: entry.Sequence + 1, Follow: true}) {
			if !yield(e, err) {
				return
			}
		}
	}
}

// History returns all that the log has of a resource, oldest first. Where its events have aged out of the log, it
// returns the last one, from the state bucket.
func (l *Log) History(ctx context.Context, key lifecycle.Key) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		found := false
		for e, err := range l.Events(ctx, Query{Resource: &key}) {
			found = true
			if !yield(e, err) {
				return
			}
		}
		if found {
			return
		}
		if e, ok, err := l.Current(ctx, key); ok || err != nil {
			yield(e, err)
		}
	}
}

// decoded takes events apart.
func decoded(raws iter.Seq2[Raw, error]) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for r, err := range raws {
			e := Entry{Raw: r}
			if err == nil {
				e, err = r.Decode()
			}
			if !yield(e, err) {
				return
			}
		}
	}
}
