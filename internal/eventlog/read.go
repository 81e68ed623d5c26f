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

// read yields the events that a query chooses of a stream.
func (l *Log) read(ctx context.Context, stream string, config jetstream.OrderedConsumerConfig, q Query, parse func(message) (Raw, error)) iter.Seq2[Raw, error] {
	return func(yield func(Raw, error) bool) {
		for m, err := range l.messages(ctx, stream, config, q.Follow) {
			if err != nil {
				yield(Raw{}, err)
				return
			}
			raw, err := parse(m)
			if err == nil && q.over(raw) {
				return
			}
			chosen := false
			if err == nil {
				chosen, err = q.chooses(raw)
			}
			if q.Follow && q.inPayload() {
				raw.Pending = 0
			}
			if err != nil {
				err = fmt.Errorf("%s, message %d on %s: %w", stream, m.meta.Sequence.Stream, m.Subject(), err)
			}
			if (err != nil || chosen) && !yield(raw, err) {
				return
			}
			if q.To > 0 && raw.Sequence >= q.To {
				return
			}
		}
	}
}

// message is one of a stream, with its place there.
type message struct {
	jetstream.Msg
	meta *jetstream.MsgMetadata
}

// messages reads a stream until nothing is pending, or, to follow, until the context ends. Who follows goes on where
// it was, whatever becomes of the connection and of the consumer.
func (l *Log) messages(ctx context.Context, stream string, config jetstream.OrderedConsumerConfig, follow bool) iter.Seq2[message, error] {
	return func(yield func(message, error) bool) {
		at := &place{stream: stream}
		if follow {
			_ = l.check(ctx, at, false) // notes which stream it is
		}
		consumer, err := l.js.OrderedConsumer(ctx, stream, tail.Ordered(config))
		if follow && ctx.Err() != nil {
			return // it ended before there was anything to follow
		}
		if err != nil {
			yield(message{}, l.explain(ctx, stream, err))
			return
		}
		if !follow && consumer.CachedInfo().NumPending == 0 {
			return
		}
		at.last = consumer.CachedInfo().Delivered.Stream
		for {
			err := l.pass(ctx, consumer, at, yield, follow)
			_, restored := errors.AsType[*restoredError](err)
			switch {
			case err == nil, follow && ctx.Err() != nil:
				return
			case restored:
				yield(message{}, err)
				return
			case !follow:
				yield(message{}, fmt.Errorf("read %s: %w", stream, noanswer.Why(ctx, l.js, err, stream)))
				return
			}
			config.DeliverPolicy, config.OptStartSeq, config.OptStartTime = jetstream.DeliverByStartSequencePolicy, at.last+1, nil
			if consumer = l.again(ctx, stream, config); consumer == nil {
				return
			}
			if err := l.check(ctx, at, false); err != nil {
				yield(message{}, err)
				return
			}
		}
	}
}

// pass yields what a consumer reads until it breaks, or (without an error) until there is no more to read or no more is
// wanted, and notes how far it is.
func (l *Log) pass(ctx context.Context, consumer jetstream.Consumer, at *place, yield func(message, error) bool, follow bool) error {
	iterator, err := consumer.Messages(jetstream.PullMaxMessages(l.ahead.pull))
	if err != nil {
		return err
	}
	messages := tail.Ahead(iterator, l.ahead.wait)
	defer messages.Stop()
	name := consumer.CachedInfo().Name
	for {
		m, err := l.next(ctx, messages, at, follow)
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if follow && meta.Consumer != name { // nats.go has made another, perhaps in another stream
			if err := l.check(ctx, at, false); err != nil {
				return err
			}
			name = meta.Consumer
		}
		at.last = meta.Sequence.Stream
		if !yield(message{m, meta}, nil) || (!follow && meta.NumPending == 0) {
			return nil
		}
	}
}

// checkEvery is how long a follower waits for a message before it asks whether the stream still has its place.
const checkEvery = 30 * time.Second

// next returns the next message. nats.go makes a lost consumer anew behind the last message, also in a stream that ends
// before it: a follower that waits is to notice that.
func (l *Log) next(ctx context.Context, messages *tail.Messages, at *place, follow bool) (jetstream.Msg, error) {
	if !follow {
		return messages.Next(ctx)
	}
	for {
		waiting, cancel := context.WithTimeout(ctx, checkEvery)
		m, err := messages.Next(waiting)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return m, err
		}
		if err := l.check(ctx, at, true); err != nil {
			return nil, err
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
		if consumer, err := l.js.OrderedConsumer(ctx, stream, tail.Ordered(config)); err == nil {
			return consumer
		}
	}
}

// A MissingStreamError is for a stream that does not exist: no bridge has run here, or none with these names.
type MissingStreamError struct{ Stream string }

func (e *MissingStreamError) Error() string { return "stream " + e.Stream + " does not exist" }

// explain says what it means that a stream cannot be read.
func (l *Log) explain(ctx context.Context, stream string, err error) error {
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return &MissingStreamError{Stream: stream}
	}
	return fmt.Errorf("read %s: %w", stream, noanswer.Why(ctx, l.js, err, stream))
}
