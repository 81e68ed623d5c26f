// Package tail reads the messages of an ordered consumer in a way that ends when its reader's context ends.
//
// The iterator of nats.go checks the context while messages arrive. Once it has lost its consumer, it recreates it for as
// long as that takes, and neither a context nor Stop interrupts it: a bridge that is stopped while NATS is unreachable would
// hang. Here the consumer is recreated once at most ([Ordered]); after that the reader gets an error and starts again behind
// its last message. Messages are prefetched while the reader works, which is also faster.
package tail

import (
	"context"
	"crypto/rand"

	"github.com/nats-io/nats.go/jetstream"
)

// MaxResetAttempts is the MaxResetAttempts of ordered consumers: how often nats.go may recreate one.
const MaxResetAttempts = 1

// Ordered returns config as [Of] needs it, with a random name: a client that knows the name of a consumer can change or
// delete it, and nats.go's own names can be derived from earlier ones, such as those of other readers.
func Ordered(config jetstream.OrderedConsumerConfig) jetstream.OrderedConsumerConfig {
	config.MaxResetAttempts = MaxResetAttempts
	config.NamePrefix = rand.Text()
	return config
}

// prefetch is the default number of prefetched messages.
const prefetch = 256

// Messages reads the messages of an ordered consumer, for one goroutine.
type Messages struct {
	results chan result
	cancel  context.CancelFunc
}

type result struct {
	msg jetstream.Msg
	err error
}

// Of returns the messages of an iterator and takes ownership of it.
func Of(from jetstream.MessagesContext) *Messages { return WithPrefetch(from, prefetch) }

// WithPrefetch is [Of] with a limit of prefetched messages.
func WithPrefetch(from jetstream.MessagesContext, limit int) *Messages {
	ctx, cancel := context.WithCancel(context.Background())
	m := &Messages{results: make(chan result, limit), cancel: cancel}
	go m.fetch(ctx, from)
	return m
}

// fetch reads the iterator until its first error, or until Stop; it may outlive Stop while the iterator cannot be
// interrupted.
func (m *Messages) fetch(ctx context.Context, from jetstream.MessagesContext) {
	defer from.Stop()
	defer close(m.results)
	for {
		msg, err := from.Next(jetstream.NextContext(ctx))
		select {
		case m.results <- result{msg, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// Next returns the next message, or an error, at once when ctx ends. After an error of the iterator there are no more
// messages.
func (m *Messages) Next(ctx context.Context) (jetstream.Msg, error) {
	select {
	case o, more := <-m.results:
		if !more {
			return nil, jetstream.ErrMsgIteratorClosed
		}
		return o.msg, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Stop stops reading.
func (m *Messages) Stop() { m.cancel() }
