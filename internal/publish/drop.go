package publish

import (
	"context"
	"errors"
	"fmt"
)

// Drop takes a delivery from those that became no event, when the log tells it by now. One that is not there any more
// is dropped. Every error wraps [ErrUnavailable].
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
