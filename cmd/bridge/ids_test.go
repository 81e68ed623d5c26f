package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"testing"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/eventlog"
)

// The disk of the store dies, the bridge begins a new log, and MK.IO delivers a later change to the same state: a consumer that
// remembers ids must not take it for the one it knows. What MK.IO delivers a second time it may.
func TestIDsAfterTheStoreDied(t *testing.T) {
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

// idOfDelivery opens a bridge on an empty store, and returns the id of the event that a delivery becomes.
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
