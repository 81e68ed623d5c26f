package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/broker"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
)

// Subscribers of the embedded server do not receive the bridge's probes.
func TestReadersDoNotSeeProbes(t *testing.T) {
	b, _, _ := serveForTest(t, nil)
	nc, err := nats.Connect(b.embedded.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	seen, err := nc.SubscribeSync("mkio.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := b.ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status := deliver(t, b, bridgetest.Delivery(t, "streaming-locator-created.json")); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
	m, err := seen.NextMsgWithContext(t.Context())
	if err != nil || m.Header.Get(event.HeaderProbe) != "" || len(m.Data) == 0 {
		t.Errorf("a subscriber receives %v, %v", m, err)
	}
}

func TestDurability(t *testing.T) {
	b := openForTest(t)
	if line := b.durability(t.Context()); line != "an acknowledged event is on disk" {
		t.Errorf("embedded: %s", line)
	}
	c := demoConfig(t.TempDir())
	c.Sync = syncMode(2 * time.Second)
	e, err := broker.Start(broker.EmbeddedConfig{StoreDir: c.StoreDir, SyncInterval: 2 * time.Second, Log: b.log})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Shutdown()
	if line := (&bridge{config: c, embedded: e}).durability(t.Context()); !strings.Contains(line, "up to 2s") {
		t.Errorf("with an interval: %s", line)
	}
	c.NatsURL = servers(brokertest.StartNATS(t, ""))
	foreign, err := open(t.Context(), c, b.log)
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.close()
	if line := foreign.durability(t.Context()); !strings.Contains(line, "stored on one server") || !strings.Contains(line, "sync_interval") {
		t.Errorf("external server: %s", line)
	}
}

// After some errors the NATS client does not reconnect: a bridge that went on would refuse every delivery.
func TestPermanentlyClosedConnectionEndsTheBridge(t *testing.T) {
	b := openForTest(t)
	l, err := listen(t.Context(), b.config)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.serve(t.Context(), l) }()
	b.nats.Close()
	if err := <-served; err == nil || !strings.Contains(err.Error(), "closed permanently") {
		t.Errorf("serve ended with %v", err)
	}
}
