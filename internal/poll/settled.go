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

func (h *deliveryHistory) settledKey() string { return "history." + event.NameToken(h.name) }

// loadSettled reads how far the history was read before; zero where it was not.
func (h *deliveryHistory) loadSettled(ctx context.Context) (time.Time, error) {
	entry, err := h.notes.Get(ctx, h.settledKey())
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, logError{fmt.Errorf("read %s of bucket %s: %w", h.settledKey(), h.notes.Bucket(), err)}
	}
	var note settledNote
	readable := json.Unmarshal(entry.Value(), &note) == nil
	if !readable || note.Rule != h.rule {
		return time.Time{}, nil // then it is read again
	}
	return note.Settled, nil
}

func (h *deliveryHistory) noteSettled(ctx context.Context) error {
	value, err := json.Marshal(settledNote{h.rule, h.settled})
	if err != nil {
		return err
	}
	if _, err := h.notes.Put(ctx, h.settledKey(), value); err != nil {
		return logError{fmt.Errorf("write %s of bucket %s: %w", h.settledKey(), h.notes.Bucket(), err)}
	}
	return nil
}
