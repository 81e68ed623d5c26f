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
	"mkio-bridge/internal/tail"
)

// read yields the events that a query chooses of a stream.
func (l *Log) read(ctx context.Context, stream string, config jetstream.OrderedConsumerConfig, q Query, parse func(message) (Raw, error)) iter.Seq2[Raw, error] {
	return func(yield func(Raw, error) bool) {
		reading := ctx
		if q.Follow && !q.Until.IsZero() {
			var cancel context.CancelFunc
			reading, cancel = context.WithDeadline(ctx, q.Until)
			defer cancel()
		}
		for m, err := range l.messages(reading, stream, config, q.Follow) {
			if err != nil {
				yield(Raw{}, err)
				return
			}
			raw, err := parse(m)
			if err == nil && q.over(raw) {
				return
			}
			if err != nil {
				err = fmt.Errorf("%s, message %d on %s: %w", stream, m.meta.Sequence.Stream, m.Subject(), err)
			}
			if (err != nil || q.inState(raw)) && !yield(raw, err) {
				return
			}
			if q.To > 0 && raw.Sequence >= q.To {
				return
			}
		}
	}
}

// inState says whether an event is of the state that is asked for: the subjects of the state bucket do not tell.
func (q Query) inState(r Raw) bool {
	return q.State == "" || r.Subject[strings.LastIndexByte(r.Subject, '.')+1:] == event.StateToken(q.State)
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
		consumer, err := l.js.OrderedConsumer(ctx, stream, tail.Ordered(config))
		if follow && ctx.Err() != nil {
			return // it ended before there was anything to follow
		}
		if err != nil {
			yield(message{}, explain(stream, err))
			return
		}
		if !follow && consumer.CachedInfo().NumPending == 0 {
			return
		}
		for last := consumer.CachedInfo().Delivered.Stream; ; {
			read, err := l.pass(ctx, consumer, yield, follow)
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
func (l *Log) pass(ctx context.Context, consumer jetstream.Consumer, yield func(message, error) bool, follow bool) (last uint64, err error) {
	iterator, err := consumer.Messages(jetstream.PullMaxMessages(l.ahead.pull))
	if err != nil {
		return 0, err
	}
	messages := tail.Ahead(iterator, l.ahead.wait)
	defer messages.Stop()
	for {
		m, err := messages.Next(ctx)
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
		if consumer, err := l.js.OrderedConsumer(ctx, stream, tail.Ordered(config)); err == nil {
			return consumer
		}
	}
}

// explain says what it means that a stream cannot be read.
func explain(stream string, err error) error {
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("stream %s does not exist: has a bridge with this BRIDGE_SUBJECT_PREFIX run on this NATS?", stream)
	}
	return fmt.Errorf("read %s: %w", stream, err)
}
