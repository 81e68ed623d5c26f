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

// A historyCursor says how far the delivery history of a rule was read. It is stored as JSON under history.<project>.
type historyCursor struct {
	Rule   string    `json:"rule"`
	Cursor time.Time `json:"settled"`
}

func (h *deliveryHistory) cursorKey() string { return "history." + event.NameToken(h.name) }

// loadCursor returns the stored cursor; zero where there is none for the rule.
func (h *deliveryHistory) loadCursor(ctx context.Context) (time.Time, error) {
	entry, err := h.notes.Get(ctx, h.cursorKey())
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, logError{fmt.Errorf("read %s of bucket %s: %w", h.cursorKey(), h.notes.Bucket(), err)}
	}
	var note historyCursor
	readable := json.Unmarshal(entry.Value(), &note) == nil
	if !readable || note.Rule != h.rule {
		return time.Time{}, nil // the history is read from the start again
	}
	return note.Cursor, nil
}

func (h *deliveryHistory) storeCursor(ctx context.Context) error {
	value, err := json.Marshal(historyCursor{h.rule, h.cursor})
	if err != nil {
		return err
	}
	if _, err := h.notes.Put(ctx, h.cursorKey(), value); err != nil {
		return logError{fmt.Errorf("write %s of bucket %s: %w", h.cursorKey(), h.notes.Bucket(), err)}
	}
	return nil
}
