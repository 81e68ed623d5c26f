// Package tail waits for the messages of an ordered consumer no longer than its reader does.
//
// nats.go's own iterator looks at the reader's context while messages come. When it has lost its consumer it makes
// another, for as long as that takes, and neither a context nor Stop gets through to it: a bridge that was told to end
// while NATS does not answer would not. Here it tries once, and whoever reads begins anew where it was. Messages are
// fetched ahead while their reader works, which also is faster than to take them one by one.
package tail

import (
	"context"
	"crypto/rand"

	"github.com/nats-io/nats.go/jetstream"
)

// Attempts is how often a consumer may try to make itself anew: its MaxResetAttempts.
const Attempts = 1

// Ordered returns the configuration of an ordered consumer as [Of] needs it, with a name that nobody can guess. Whoever
// knows the name of a consumer can change or delete it, and the client's own names can be computed from others that it
// has made up, such as those that readers see.
func Ordered(config jetstream.OrderedConsumerConfig) jetstream.OrderedConsumerConfig {
	config.MaxResetAttempts = Attempts
	config.NamePrefix = rand.Text()
	return config
}

// ahead is how many messages may be fetched before their reader asks for them.
const ahead = 256

// Messages are those of an ordered consumer. They are for one goroutine.
type Messages struct {
	came  chan outcome
	leave context.CancelFunc
}

type outcome struct {
	msg jetstream.Msg
	err error
}

// Of returns the messages of an iterator, which is its own from now on.
func Of(from jetstream.MessagesContext) *Messages { return Ahead(from, ahead) }

// Ahead is [Of] with no more messages fetched before their reader asks for them than so many.
func Ahead(from jetstream.MessagesContext, most int) *Messages {
	ctx, leave := context.WithCancel(context.Background())
	m := &Messages{came: make(chan outcome, most), leave: leave}
	go m.fetch(ctx, from)
	return m
}

// fetch ends with the first error, or soon after Stop: the iterator may be where nothing gets through to it.
func (m *Messages) fetch(ctx context.Context, from jetstream.MessagesContext) {
	defer from.Stop()
	defer close(m.came)
	for {
		msg, err := from.Next(jetstream.NextContext(ctx))
		select {
		case m.came <- outcome{msg, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// Next returns the next message, or an error: at once when the context ends. After an error of the iterator there is
// no other message.
func (m *Messages) Next(ctx context.Context) (jetstream.Msg, error) {
	select {
	case o, more := <-m.came:
		if !more {
			return nil, jetstream.ErrMsgIteratorClosed
		}
		return o.msg, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Stop ends the messages.
func (m *Messages) Stop() { m.leave() }
