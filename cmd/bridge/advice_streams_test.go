package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/streams"
)

// Package streams knows no settings: cmd/bridge adds which to change, at start and in /readyz.
func TestStreamAdviceNamesTheSettings(t *testing.T) {
	_, js := brokertest.Start(t).Connect()
	for _, test := range []struct {
		name   string
		config streams.Config
		want   string
	}{
		{"a missing stream", streams.Config{Replicas: 1}, "BRIDGE_STREAM_MANAGE=create"},
		{"more replicas than servers", streams.Config{Replicas: 3, Create: true}, "BRIDGE_STREAM_REPLICAS is 3"},
	} {
		test.config.Names = event.NewNames(event.DefaultPrefix)
		err := streams.Ensure(t.Context(), js, test.config)
		if err == nil || !strings.Contains(advice(err), test.want) || strings.Contains(err.Error(), "BRIDGE_") {
			t.Errorf("%s: %v: %q", test.name, err, advice(err))
		}
		if got := advice(fmt.Errorf("several: %w", errors.Join(errors.New("another"), err))); !strings.Contains(got, test.want) {
			t.Errorf("%s, beside another error: %q", test.name, got)
		}
	}
}

func TestReadinessAdvisesOnAMissingStream(t *testing.T) {
	b := openForTest(t)
	if err := b.js.DeleteStream(t.Context(), "KV_mkio_lease"); err != nil {
		t.Fatal(err)
	}
	if err := b.ready(t.Context()); err == nil || !strings.Contains(err.Error(), "stream KV_mkio_lease does not exist") || !strings.Contains(err.Error(), "BRIDGE_STREAM_MANAGE=create") {
		t.Errorf("ready: %v", err)
	}
}
