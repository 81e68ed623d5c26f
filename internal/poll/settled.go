package poll

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
)

// A settledNote is what is noted of how far the history of a rule was read.
type settledNote struct {
	Rule    string    `json:"rule"`
	Settled time.Time `json:"settled"`
}

func (p *project) settledKey() string { return "history." + event.NameToken(p.name) }

// loadSettled reads how far the history was read before; zero where it was not.
func (p *project) loadSettled(ctx context.Context) (time.Time, error) {
	entry, err := p.Notes.Get(ctx, p.settledKey())
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, logError{fmt.Errorf("read %s of bucket %s: %w", p.settledKey(), p.Notes.Bucket(), err)}
	}
	var note settledNote
	readable := json.Unmarshal(entry.Value(), &note) == nil
	if !readable || note.Rule != p.Rule {
		return time.Time{}, nil // then it is read again
	}
	return note.Settled, nil
}

func (p *project) noteSettled(ctx context.Context, at time.Time) error {
	value, err := json.Marshal(settledNote{p.Rule, at})
	if err != nil {
		return err
	}
	if _, err := p.Notes.Put(ctx, p.settledKey(), value); err != nil {
		return logError{fmt.Errorf("write %s of bucket %s: %w", p.settledKey(), p.Notes.Bucket(), err)}
	}
	return nil
}
