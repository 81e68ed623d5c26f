package publish

import (
	"context"
	"fmt"

	"mkio-bridge/internal/lifecycle"
)

// Preview says what [Publisher.Observe] would make of an observation now, by what the log has, and writes
// nothing.
// Every error wraps [ErrUnavailable].
func (p *Publisher) Preview(ctx context.Context, o lifecycle.Observation) (lifecycle.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	resource := p.names.Resource(o.Key)
	verdict, _, err := p.decideFresh(ctx, resource, o, nil)
	if err != nil {
		return verdict, fmt.Errorf("%w: weigh %s: %w", ErrUnavailable, o.Key, err)
	}
	return verdict, nil
}
