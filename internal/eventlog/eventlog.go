// Package eventlog reads what bridges store in JetStream: events from the log (eventlog.go, read.go, period.go), from a
// sequence or time and live if requested; the last event of each resource from the state bucket (eventlog.go); unapplied
// deliveries (unapplied.go); and coverage records (coverage.go). The position of a reader is checked in position.go.
//
// It reads from NATS only, never from MK.IO. Filters work on the server, by subject (query.go); state, phase and period are
// compared here where subjects do not have them. Messages are pulled in batches, in order. A follower that loses its
// connection continues at its position. No more than one batch is in memory.
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
	js       jetstream.JetStream
	names    event.Names
	prefetch prefetch
}

// prefetch is the number of messages that are fetched ahead: the largest pull request, and the buffered messages.
type prefetch struct{ batch, buffer int }

var (
	defaultPrefetch = prefetch{500, 256}
	smallPrefetch   = prefetch{32, 8}
)

// New returns a reader. It opens streams when they are read.
func New(js jetstream.JetStream, names event.Names) *Log {
	return &Log{js: js, names: names, prefetch: defaultPrefetch}
}

// WithSmallPrefetch returns a reader of the same log that prefetches less: for many slow readers at a time.
func (l *Log) WithSmallPrefetch() *Log {
	return &Log{js: l.js, names: l.names, prefetch: smallPrefetch}
}

// Names returns the names of the streams and buckets.
func (l *Log) Names() event.Names { return l.names }

// Stream returns the current info of the event log.
func (l *Log) Stream(ctx context.Context) (*jetstream.StreamInfo, error) {
	stream, err := l.js.Stream(ctx, l.names.EventStream())
	if err != nil {
		return nil, l.streamErr(ctx, l.names.EventStream(), err)
	}
	return stream.CachedInfo(), nil
}

// A Raw is an undecoded event of the log, with its sequence. Decoding costs more than reading.
type Raw struct {
	Sequence uint64
	Stored   time.Time
	Subject  string
	Pending  uint64 // messages behind it that may match the query; 0 for a follower whose matches the server does not filter
	Header   nats.Header
	Payload  []byte
}

// A LoggedEvent is a decoded event of the log, with its sequence.
type LoggedEvent struct {
	Raw
	Fact  lifecycle.Fact
	Event event.Event
}

// Decode decodes an event.
func (r Raw) Decode() (LoggedEvent, error) {
	e := LoggedEvent{Raw: r}
	var err error
	if e.Fact, err = event.FactOf(r.Header, r.Sequence); err != nil {
		return e, err
	}
	if e.Event, err = event.Decode(r.Payload); err != nil {
		return e, fmt.Errorf("message %d on %s: %w", r.Sequence, r.Subject, err)
	}
	return e, nil
}

// Raw returns the undecoded events that match a query, oldest first. The iteration ends after an error.
func (l *Log) Raw(ctx context.Context, q Query) iter.Seq2[Raw, error] {
	if q.Follow && !q.Until.IsZero() {
		return l.followUntil(ctx, q)
	}
	return l.raw(ctx, q, false)
}

// raw is [Log.Raw] without the end of a followed period.
func (l *Log) raw(ctx context.Context, q Query, headersOnly bool) iter.Seq2[Raw, error] {
	config := l.consumerOf(q)
	config.HeadersOnly = headersOnly
	return l.read(ctx, l.names.EventStream(), config, q, rawOf)
}

// consumerOf returns the configuration of a consumer of the log whose messages include all events that match a query.
func (l *Log) consumerOf(q Query) jetstream.OrderedConsumerConfig {
	config := jetstream.OrderedConsumerConfig{FilterSubjects: l.filters(q, true)}
	switch {
	case q.From > 0:
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, q.From
	case !q.Since.IsZero() && q.By != ByTime:
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &q.Since
	}
	return config
}

// rawOf returns the event in a message of the log.
func rawOf(m message) (Raw, error) {
	return Raw{m.meta.Sequence.Stream, m.meta.Timestamp, m.Subject(), m.meta.NumPending, m.Headers(), m.Data()}, nil
}

// Headers is [Log.Raw] without payloads, for queries that need none: without a phase, and with By unset.
func (l *Log) Headers(ctx context.Context, q Query) iter.Seq2[Raw, error] {
	return l.raw(ctx, q, true)
}

// Events returns the events that match a query, oldest first. The iteration ends after an error.
func (l *Log) Events(ctx context.Context, q Query) iter.Seq2[LoggedEvent, error] {
	return decodeAll(l.Raw(ctx, q))
}

// RawState returns the undecoded last event of each resource that matches a query. From, Since, Until and Follow do not
// apply; the others are compared with the last events ([Query.Matcher]).
func (l *Log) RawState(ctx context.Context, q Query) iter.Seq2[Raw, error] {
	config := jetstream.OrderedConsumerConfig{FilterSubjects: l.filters(q, false)}
	all := l.read(ctx, l.names.StateStream(), config, Query{}, func(m message) (Raw, error) {
		return l.fromStateBucket(m.Subject(), m.Headers(), m.Data(), m.meta.Timestamp, m.meta.NumPending)
	})
	if !q.needsLast() {
		return all
	}
	matches, prefix := q.Matcher(), len(l.names.Prefix())+1
	return func(yield func(Raw, error) bool) {
		for r, err := range all {
			var last lifecycle.Fact
			if err == nil {
				last, err = event.FactOf(r.Header, r.Sequence)
			}
			if err == nil && !matches(event.ResourceOf(r.Subject[prefix:]), &last) {
				continue
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// State is [Log.RawState] with decoded events.
func (l *Log) State(ctx context.Context, q Query) iter.Seq2[LoggedEvent, error] {
	return decodeAll(l.RawState(ctx, q))
}

// fromStateBucket returns an event of the state bucket, with its sequence in the log.
func (l *Log) fromStateBucket(key string, header nats.Header, payload []byte, stored time.Time, pending uint64) (Raw, error) {
	fact, err := event.FactOfState(header)
	if err != nil {
		return Raw{}, fmt.Errorf("%s: %w", key, err)
	}
	resource := strings.TrimPrefix(key, l.names.StateSubject(""))
	return Raw{fact.Sequence, stored, l.names.Subject(resource, fact.State), pending, header, payload}, nil
}

// Current returns the last event of a resource; ok is false if it has none.
func (l *Log) Current(ctx context.Context, key lifecycle.Key) (entry LoggedEvent, ok bool, err error) {
	raw, ok, err := l.lastOfResource(ctx, l.names.Resource(key))
	if err != nil || !ok {
		return LoggedEvent{}, false, err
	}
	entry, err = raw.Decode()
	return entry, err == nil, err
}

// lastOfResource returns the undecoded last event of a resource, given its token; ok is false if it has none.
func (l *Log) lastOfResource(ctx context.Context, resource string) (raw Raw, ok bool, err error) {
	stream, err := l.js.Stream(ctx, l.names.StateStream())
	if err != nil {
		return Raw{}, false, l.streamErr(ctx, l.names.StateStream(), err)
	}
	m, err := stream.GetLastMsgForSubject(ctx, l.names.StateSubject(resource))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Raw{}, false, nil
	}
	if err != nil {
		return Raw{}, false, fmt.Errorf("read %s: %w", l.names.StateStream(), err)
	}
	raw, err = l.fromStateBucket(m.Subject, m.Header, m.Data, m.Time, 0)
	return raw, err == nil, err
}

// Watch returns the last event of a resource, if there is one, and then each further event, without a gap, until the context
// ends.
func (l *Log) Watch(ctx context.Context, key lifecycle.Key) iter.Seq2[LoggedEvent, error] {
	return func(yield func(LoggedEvent, error) bool) {
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

// History returns all events of a resource in the log, oldest first. If they have aged out of the log, it returns the last
// one, from the state bucket.
func (l *Log) History(ctx context.Context, key lifecycle.Key) iter.Seq2[LoggedEvent, error] {
	return func(yield func(LoggedEvent, error) bool) {
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

// decodeAll decodes events.
func decodeAll(raws iter.Seq2[Raw, error]) iter.Seq2[LoggedEvent, error] {
	return func(yield func(LoggedEvent, error) bool) {
		for r, err := range raws {
			e := LoggedEvent{Raw: r}
			if err == nil {
				e, err = r.Decode()
			}
			if !yield(e, err) {
				return
			}
		}
	}
}
