// Package eventlog holds the readers of the event log: what happened (from the log, from a point in
// time or of it, live if wanted) and what is (the last event of each resource, from the state bucket).
//
// It reads NATS alone and never MK.IO. Filters work on the server, by subject; a name too long to
// stand in a subject is compared here. Reading is by pull, in batches, and in order; a reader that
// loses its connection goes on where it was.
package eventlog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/tail"
)

// A Log reads the events under one prefix.
type Log struct {
	js    jetstream.JetStream
	names event.Names
}

// New returns a reader. Streams are looked up when they are read.
func New(js jetstream.JetStream, names event.Names) *Log { return &Log{js: js, names: names} }

// A Query chooses events. Zero fields choose everything.
type Query struct {
	Kind    lifecycle.Kind
	Project string
	Name    string // the resource's own name, the last of its path
	State   string // without regard to case

	From   uint64    // first sequence
	Since  time.Time // when the log took it; not together with From
	Until  time.Time
	Follow bool // go on with what comes, until the context ends
}

// An Entry is one event with its place in the log.
type Entry struct {
	Sequence uint64
	Stored   time.Time
	Subject  string
	Fact     lifecycle.Fact
	Event    event.Event
	Payload  []byte
}

// notFound explains a log that nobody has made yet.
func notFound(stream string) error {
	return fmt.Errorf("stream %s does not exist: has a bridge with this BRIDGE_SUBJECT_PREFIX run on this NATS?", stream)
}

// Events returns the events that a query chooses, oldest first. The sequence ends after an error.
func (l *Log) Events(ctx context.Context, q Query) iter.Seq2[Entry, error] {
	config := jetstream.OrderedConsumerConfig{FilterSubjects: l.filters(q, true)}
	switch {
	case q.From > 0:
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, q.From
	case !q.Since.IsZero():
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &q.Since
	}
	return l.read(ctx, l.names.EventStream(), config, q, func(m message) (Entry, error) {
		fact, err := event.FactOf(m.Headers(), m.meta.Sequence.Stream)
		return Entry{Sequence: fact.Sequence, Stored: m.meta.Timestamp, Subject: m.Subject(), Fact: fact, Payload: m.Data()}, err
	})
}

// State returns the last event of each resource that a query chooses. From, Since, Until and Follow
// do not apply; State chooses among the last events.
func (l *Log) State(ctx context.Context, q Query) iter.Seq2[Entry, error] {
	config := jetstream.OrderedConsumerConfig{FilterSubjects: l.filters(q, false)}
	now := Query{Kind: q.Kind, Project: q.Project, Name: q.Name, State: q.State}
	return l.read(ctx, l.names.StateStream(), config, now, func(m message) (Entry, error) {
		fact, err := event.FactOfState(m.Headers())
		subject := l.names.Subject(strings.TrimPrefix(m.Subject(), l.names.StateSubject("")), fact.State)
		return Entry{Sequence: fact.Sequence, Stored: m.meta.Timestamp, Subject: subject, Fact: fact, Payload: m.Data()}, err
	})
}

// Current returns the last event of one resource; ok is false when it has none.
func (l *Log) Current(ctx context.Context, key lifecycle.Key) (entry Entry, ok bool, err error) {
	stream, err := l.js.Stream(ctx, l.names.StateStream())
	if err != nil {
		return Entry{}, false, l.explain(l.names.StateStream(), err)
	}
	resource := l.names.Resource(key)
	m, err := stream.GetLastMsgForSubject(ctx, l.names.StateSubject(resource))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Entry{}, false, nil
	}
	if err != nil {
		return Entry{}, false, fmt.Errorf("read %s: %w", l.names.StateStream(), err)
	}
	fact, err := event.FactOfState(m.Header)
	if err != nil {
		return Entry{}, false, fmt.Errorf("%s: %w", m.Subject, err)
	}
	entry = Entry{Sequence: fact.Sequence, Stored: m.Time, Subject: l.names.Subject(resource, fact.State), Fact: fact, Payload: m.Data}
	entry.Event, err = event.Decode(m.Data)
	return entry, err == nil, err
}

type parser func(message) (Entry, error)

// read yields the entries that a query chooses of a stream.
func (l *Log) read(ctx context.Context, stream string, config jetstream.OrderedConsumerConfig, q Query, parse parser) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		reading := ctx
		if q.Follow && !q.Until.IsZero() {
			var cancel context.CancelFunc
			reading, cancel = context.WithDeadline(ctx, q.Until)
			defer cancel()
		}
		for m, err := range l.messages(reading, stream, config, q.Follow) {
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if !q.Until.IsZero() && m.meta.Timestamp.After(q.Until) {
				return
			}
			entry, err := parse(m)
			if err == nil {
				entry.Event, err = event.Decode(entry.Payload)
			}
			if err != nil {
				err = fmt.Errorf("%s, message %d on %s: %w", stream, m.meta.Sequence.Stream, m.Subject(), err)
			}
			if (err != nil || q.matches(entry.Event)) && !yield(entry, err) {
				return
			}
		}
	}
}

// A message is one of a stream, with its place there.
type message struct {
	jetstream.Msg
	meta *jetstream.MsgMetadata
}

// messages reads a stream until nothing is pending, or, to follow, until the context ends. Who follows goes on where
// it was, whatever becomes of the connection and of the consumer.
func (l *Log) messages(ctx context.Context, stream string, config jetstream.OrderedConsumerConfig, follow bool) iter.Seq2[message, error] {
	return func(yield func(message, error) bool) {
		config.MaxResetAttempts = tail.Attempts
		consumer, err := l.js.OrderedConsumer(ctx, stream, config)
		if err != nil {
			yield(message{}, l.explain(stream, err))
			return
		}
		if !follow && consumer.CachedInfo().NumPending == 0 {
			return
		}
		for last := consumer.CachedInfo().Delivered.Stream; ; {
			read, err := pass(ctx, consumer, yield, follow)
			last = max(last, read)
			switch {
			case err == nil, follow && ctx.Err() != nil:
				return
			case !follow:
				yield(message{}, fmt.Errorf("read %s: %w", stream, err))
				return
			}
			config.DeliverPolicy, config.OptStartSeq, config.OptStartTime = jetstream.DeliverByStartSequencePolicy, last+1, nil
			if consumer = l.again(ctx, stream, config); consumer == nil {
				return
			}
		}
	}
}

// pass yields what a consumer reads until it breaks, or (without an error) until there is no more to read or no more is
// wanted. It returns the sequence of the last message.
func pass(ctx context.Context, consumer jetstream.Consumer, yield func(message, error) bool, follow bool) (last uint64, err error) {
	iterator, err := consumer.Messages(jetstream.PullMaxMessages(pullBatch))
	if err != nil {
		return 0, err
	}
	messages := tail.Of(iterator)
	defer messages.Stop()
	for {
		m, err := messages.Next(ctx, ctx)
		if err != nil {
			return last, err
		}
		meta, err := m.Metadata()
		if err != nil {
			return last, err
		}
		last = meta.Sequence.Stream
		if !yield(message{m, meta}, nil) || (!follow && meta.NumPending == 0) {
			return last, nil
		}
	}
}

// againEvery is the pause before a consumer that broke is made again.
const againEvery = time.Second

// again makes a consumer again as soon as that can be done; nil when the context ends first.
func (l *Log) again(ctx context.Context, stream string, config jetstream.OrderedConsumerConfig) jetstream.Consumer {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(againEvery):
		}
		if consumer, err := l.js.OrderedConsumer(ctx, stream, config); err == nil {
			return consumer
		}
	}
}

// pullBatch is how many messages are asked for ahead.
const pullBatch = 500

func (l *Log) explain(stream string, err error) error {
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return notFound(stream)
	}
	return fmt.Errorf("read %s: %w", stream, err)
}

// matches compares what subjects may not say exactly.
func (q Query) matches(e event.Event) bool {
	return (q.Kind == "" || e.Data.Kind == q.Kind) &&
		(q.Project == "" || e.Data.Project == q.Project) &&
		(q.Name == "" || e.Data.Name == q.Name) &&
		(q.State == "" || lifecycle.SameState(e.Data.State, q.State))
}

// filters returns the subjects that a query's events can be on: one for each depth of names.
func (l *Log) filters(q Query, events bool) []string {
	depths := []int{1, 2, 3}
	if q.Kind != "" {
		depths = []int{q.Kind.Depth()}
	}
	var filters []string
	for _, depth := range depths {
		tokens := []string{token(string(q.Kind)), token(q.Project)}
		for range depth - 1 {
			tokens = append(tokens, "*")
		}
		resource := strings.Join(append(tokens, token(q.Name)), ".")
		if !events {
			filters = append(filters, l.names.StateSubject(resource))
			continue
		}
		state := "*"
		if q.State != "" {
			state = event.StateToken(q.State)
		}
		filters = append(filters, l.names.Prefix()+"."+resource+"."+state)
	}
	return filters
}

// longToken is the length from which a token may be cut in subjects; then any is taken and the event
// itself is compared.
const longToken = 80

func token(name string) string {
	if t := event.NameToken(name); name != "" && len(t) <= longToken {
		return t
	}
	return "*"
}
