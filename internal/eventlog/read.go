package eventlog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/noanswer"
	"mkio-bridge/internal/tail"
)

// read yields the events of a stream that match a query.
func (l *Log) read(ctx context.Context, stream string, config jetstream.OrderedConsumerConfig, q Query, parse func(message) (Raw, error)) iter.Seq2[Raw, error] {
	return func(yield func(Raw, error) bool) {
		for m, err := range l.messages(ctx, stream, config, q.Follow) {
			if err != nil {
				yield(Raw{}, err)
				return
			}
			raw, err := parse(m)
			if err == nil && q.pastEnd(raw) {
				return
			}
			matched := false
			if err == nil {
				matched, err = q.matches(raw)
			}
			if q.Follow && q.compares() {
				raw.Pending = 0
			}
			if err != nil {
				err = fmt.Errorf("%s, message %d on %s: %w", stream, m.meta.Sequence.Stream, m.Subject(), err)
			}
			if (err != nil || matched) && !yield(raw, err) {
				return
			}
			if q.To > 0 && raw.Sequence >= q.To {
				return
			}
		}
	}
}

// A message is a message of a stream, with its metadata.
type message struct {
	jetstream.Msg
	meta *jetstream.MsgMetadata
}

// messages reads a stream until no message is pending, or, to follow, until the context ends. A follower continues at its
// position after it lost its connection or its consumer.
func (l *Log) messages(ctx context.Context, stream string, config jetstream.OrderedConsumerConfig, follow bool) iter.Seq2[message, error] {
	return func(yield func(message, error) bool) {
		pos := &position{stream: stream}
		if follow {
			_ = l.check(ctx, pos, false) // sets the time of the stream's creation
		}
		consumer, err := l.js.OrderedConsumer(ctx, stream, tail.Ordered(config))
		if follow && ctx.Err() != nil {
			return // the context ended before the stream existed
		}
		if err != nil {
			yield(message{}, l.streamErr(ctx, stream, err))
			return
		}
		if !follow && consumer.CachedInfo().NumPending == 0 {
			return
		}
		pos.last = consumer.CachedInfo().Delivered.Stream
		for {
			err := l.consume(ctx, consumer, pos, yield, follow)
			_, replaced := errors.AsType[*replacedError](err)
			switch {
			case err == nil, follow && ctx.Err() != nil:
				return
			case replaced:
				yield(message{}, err)
				return
			case !follow:
				yield(message{}, fmt.Errorf("read %s: %w", stream, noanswer.Explain(ctx, l.js, err, stream)))
				return
			}
			config.DeliverPolicy, config.OptStartSeq, config.OptStartTime = jetstream.DeliverByStartSequencePolicy, pos.last+1, nil
			if consumer = l.recreateConsumer(ctx, stream, config); consumer == nil {
				return
			}
			if err := l.check(ctx, pos, false); err != nil {
				yield(message{}, err)
				return
			}
		}
	}
}

// consume yields a consumer's messages and advances the position. It returns the error with which the consumer broke, or nil
// when no message is pending or the caller stops the iteration.
func (l *Log) consume(ctx context.Context, consumer jetstream.Consumer, pos *position, yield func(message, error) bool, follow bool) error {
	iterator, err := consumer.Messages(jetstream.PullMaxMessages(l.prefetch.batch))
	if err != nil {
		return err
	}
	messages := tail.WithPrefetch(iterator, l.prefetch.buffer)
	defer messages.Stop()
	name := consumer.CachedInfo().Name
	for {
		m, err := l.next(ctx, messages, pos, follow)
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if follow && meta.Consumer != name { // nats.go has created a new consumer, perhaps in a new stream
			if err := l.check(ctx, pos, false); err != nil {
				return err
			}
			name = meta.Consumer
		}
		pos.last = meta.Sequence.Stream
		if !yield(message{m, meta}, nil) || (!follow && meta.NumPending == 0) {
			return nil
		}
	}
}

// idleCheckInterval is how long a follower waits for a message before it checks its position.
const idleCheckInterval = 30 * time.Second

// next returns the next message. nats.go recreates a lost consumer behind the last message, also in a stream that ends
// before it: a follower that waits has to detect that.
func (l *Log) next(ctx context.Context, messages *tail.Messages, pos *position, follow bool) (jetstream.Msg, error) {
	if !follow {
		return messages.Next(ctx)
	}
	for {
		idle, cancel := context.WithTimeout(ctx, idleCheckInterval)
		m, err := messages.Next(idle)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return m, err
		}
		if err := l.check(ctx, pos, true); err != nil {
			return nil, err
		}
	}
}

// recreateInterval is the pause before a broken consumer is recreated.
const recreateInterval = time.Second

// recreateConsumer creates a new consumer as soon as that succeeds; nil if the context ends first.
func (l *Log) recreateConsumer(ctx context.Context, stream string, config jetstream.OrderedConsumerConfig) jetstream.Consumer {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(recreateInterval):
		}
		if consumer, err := l.js.OrderedConsumer(ctx, stream, tail.Ordered(config)); err == nil {
			return consumer
		}
	}
}

// A MissingStreamError is the error of a stream that does not exist: no bridge has run here, or none with this prefix.
type MissingStreamError struct{ Stream string }

func (e *MissingStreamError) Error() string { return "stream " + e.Stream + " does not exist" }

// streamErr wraps the error of a stream that cannot be read, with the reason if it is known.
func (l *Log) streamErr(ctx context.Context, stream string, err error) error {
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return &MissingStreamError{Stream: stream}
	}
	return fmt.Errorf("read %s: %w", stream, noanswer.Explain(ctx, l.js, err, stream))
}
