package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"testing"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/eventlog"
)

// The store is lost, the bridge starts a new log, and MK.IO delivers a later change to the same state: its event needs
// another id, or a consumer that deduplicates by id would drop it. A redelivery of the same change may get the same id.
func TestEventIDsAfterTheStoreIsLost(t *testing.T) {
	started := bridgetest.Delivery(t, "channel-instance-started.assumed-shape.json")
	later := bytes.ReplaceAll(started, []byte(`"time": "2031-05-19T`), []byte(`"time": "2031-05-24T`))
	untimed := bytes.ReplaceAll(started, []byte(`"time": "2031-05-19T`), []byte(`"time": "unreadable `))
	tests := []struct {
		name          string
		before, after []byte
		same          bool
	}{
		{"the same delivery", started, started, true},
		{"a later change", started, later, false},
		{"without a time", untimed, untimed, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, after := idOfDelivery(t, tt.before), idOfDelivery(t, tt.after)
			if (before == after) != tt.same {
				t.Errorf("id %s before and %s after, want the same: %t", before, after, tt.same)
			}
		})
	}
}

// idOfDelivery returns the id of the event that a delivery becomes, on a bridge with an empty store.
func idOfDelivery(t *testing.T, body []byte) string {
	t.Helper()
	b, err := open(t.Context(), demoConfig(t.TempDir()), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	if status := deliver(t, b, body); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
	for e, err := range b.events.Events(t.Context(), eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		return e.Event.ID()
	}
	t.Fatal("the log is empty")
	return ""
}
