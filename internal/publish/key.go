package publish

import (
	"context"
	"errors"
	"fmt"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// KeyOf returns the key of a resource token. If the token has a shortened name, it reads the full one from the last event.
func (p *Publisher) KeyOf(ctx context.Context, resource string) (lifecycle.Key, error) {
	key, _, err := p.names.Parse(p.names.Subject(resource, ""))
	if !errors.Is(err, event.ErrCutToken) {
		return key, err
	}
	m, err := p.reader.get(ctx, p.names.StateStream(), map[string]any{"last_by_subj": p.names.StateSubject(resource)})
	if err != nil {
		return lifecycle.Key{}, fmt.Errorf("read the names of %s: %w", resource, err)
	}
	if m == nil {
		return lifecycle.Key{}, fmt.Errorf("read the names of %s: not in the state bucket", resource)
	}
	e, err := event.Decode(m.Data)
	if err != nil {
		return lifecycle.Key{}, err
	}
	return e.Data.Key()
}
