package publish

import (
	"context"
	"errors"
	"fmt"
)

// Drop deletes a delivery from MKIO_UNAPPLIED, at a sequence of that stream: the caller found that the log has it by now. If
// the delivery is not there any more, that is no error. Every error wraps [ErrUnavailable].
func (p *Publisher) Drop(ctx context.Context, sequence uint64) error {
	stream := p.names.UnappliedStream()
	dropping, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	kept, err := p.js.Stream(dropping, stream)
	if err == nil {
		err = kept.DeleteMsg(dropping, sequence)
	}
	if err == nil {
		return nil
	}
	// The answer does not say whether somebody else was first.
	m, lookErr := p.reader.get(ctx, stream, map[string]any{"seq": sequence})
	if m == nil && lookErr == nil {
		return nil
	}
	return fmt.Errorf("%w: remove message %d of %s: %w", ErrUnavailable, sequence, stream, errors.Join(err, lookErr))
}
