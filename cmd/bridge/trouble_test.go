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

// What the bridge tries is not shown to those who read along on its own server.
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
		t.Errorf("a reader sees %v, %v", m, err)
	}
}

func TestTheLineOfDurabilityIsTrue(t *testing.T) {
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
	if line := foreign.durability(t.Context()); !strings.Contains(line, "stored once") || !strings.Contains(line, "sync_interval") {
		t.Errorf("somebody else's: %s", line)
	}
}

// After some errors the client does not connect again: a bridge that went on would refuse everything for ever.
func TestAConnectionThatIsClosedForGoodEndsTheBridge(t *testing.T) {
	b := openForTest(t)
	l, err := listen(t.Context(), b.config)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.serve(t.Context(), l) }()
	b.nats.Close()
	if err := <-served; err == nil || !strings.Contains(err.Error(), "closed for good") {
		t.Errorf("it ended with %v", err)
	}
}
