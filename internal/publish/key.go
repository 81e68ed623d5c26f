package publish

import (
	"context"
	"errors"
	"fmt"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// KeyOf returns the key that a resource token stands for. Where the token has a name cut, the last event
// is read for it.
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
		return lifecycle.Key{}, fmt.Errorf("read the names of %s: the state bucket does not have it", resource)
	}
	e, err := event.Decode(m.Data)
	if err != nil {
		return lifecycle.Key{}, err
	}
	return e.Data.Key()
}
