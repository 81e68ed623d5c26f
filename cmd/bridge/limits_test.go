package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/schematest"
)

func TestStopBeforeStartExitsZero(t *testing.T) {
	for name, value := range map[string]string{
		"BRIDGE_LISTEN": "127.0.0.1:0", "BRIDGE_ADMIN_LISTEN": "127.0.0.1:0", "BRIDGE_NATS_LISTEN": "", "BRIDGE_STORE_DIR": t.TempDir(),
	} {
		t.Setenv(name, value)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stderr bytes.Buffer
	if code := run(ctx, []string{"run"}, io.Discard, &stderr); code != exitOK || !strings.Contains(stderr.String(), "stopped") {
		t.Errorf("exit %d: %s", code, &stderr)
	}
}

// The payload limit of a NATS server may be far smaller than a delivery.
func TestSmallPayloadLimitLosesNothing(t *testing.T) {
	c := demoConfig(t.TempDir())
	c.NatsURL = servers(brokertest.StartNATS(t, "max_payload: 3000"))
	b, err := open(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	large := []byte(`"resource": {"note": "` + strings.Repeat("x", 10_000) + `",`)
	if status := deliver(t, b, bytes.Replace(bridgetest.Delivery(t, "job-started.json"), []byte(`"resource": {`), large, 1)); status != http.StatusNoContent {
		t.Errorf("status %d of an event", status)
	}
	if status := deliver(t, b, bytes.Repeat([]byte("x"), 10_000)); status != http.StatusBadRequest {
		t.Errorf("status %d of a malformed delivery", status)
	}
	for e, err := range b.events.Events(t.Context(), eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		schematest.Event(t, e.Payload)
		if e.Event.Data.State != "Processing" || e.Event.Data.ResourceOmitted == "" {
			t.Errorf("event %s", e.Payload)
		}
	}
	var unapplied []eventlog.Unapplied
	for k, err := range b.events.Unapplied(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		unapplied = append(unapplied, k)
	}
	if len(unapplied) != 1 || unapplied[0].Length != 10_000 {
		t.Errorf("unapplied %+v", unapplied)
	}
}
