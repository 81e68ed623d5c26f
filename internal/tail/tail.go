// Package tail waits for the messages of an ordered consumer no longer than its reader does.
//
// nats.go's own iterator looks at the reader's context while messages come. When it has lost its consumer it makes
// another, for as long as that takes, and neither a context nor Stop gets through to it: a bridge that was told to end
// while NATS does not answer would not. Here it tries once, and whoever reads begins anew where it was.
package tail

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"
)

// Attempts is how often a consumer may try to make itself anew: its MaxResetAttempts.
const Attempts = 1

// Messages are those of an ordered consumer. They are for one goroutine.
type Messages struct {
	from jetstream.MessagesContext
	left bool // while the iterator was busy: it is stopped when it is not
}

// Of returns the messages of an iterator.
func Of(from jetstream.MessagesContext) *Messages { return &Messages{from: from} }

// Next returns the next message, or an error: at once when ctx ends, after which there is no other; and when wait ends,
// after which it may be called again. wait is ctx, or ends before it.
func (m *Messages) Next(ctx, wait context.Context) (jetstream.Msg, error) {
	type outcome struct {
		msg jetstream.Msg
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		msg, err := m.from.Next(jetstream.NextContext(wait))
		done <- outcome{msg, err}
	}()
	select {
	case o := <-done:
		return o.msg, o.err
	case <-ctx.Done():
		m.left = true
		go func() { <-done; m.from.Stop() }()
		return nil, ctx.Err()
	}
}

// Stop ends the messages.
func (m *Messages) Stop() {
	if !m.left {
		m.from.Stop()
	}
}
