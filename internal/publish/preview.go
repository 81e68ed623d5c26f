package publish

import (
	"context"
	"fmt"

	"mkio-bridge/internal/lifecycle"
)

// Preview decides an observation as [Publisher.Observe] would now, by the head in the stream, and writes nothing.
// Every error wraps [ErrUnavailable].
func (p *Publisher) Preview(ctx context.Context, o lifecycle.Observation) (lifecycle.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	resource := p.names.Resource(o.Key)
	verdict, _, err := p.decideFresh(ctx, resource, o, nil)
	if err != nil {
		return verdict, fmt.Errorf("%w: preview %s: %w", ErrUnavailable, o.Key, err)
	}
	return verdict, nil
}
