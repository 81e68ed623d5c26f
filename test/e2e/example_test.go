//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
)

// An exampleBridge is a bridge with an embedded server, and a reader's connection to that server.
type exampleBridge struct {
	*bridgetest.Bridge
	t  *testing.T
	js jetstream.JetStream
}

func startExampleBridge(t *testing.T) exampleBridge {
	t.Helper()
	b := exampleBridge{Bridge: bridgetest.StartBridge(t), t: t}
	nc, err := nats.Connect(b.url())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if b.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b exampleBridge) url() string { return "nats://" + b.NATS }

// deliver posts the fixture as a delivery of that job.
func (b exampleBridge) deliver(fixture, job string) {
	b.t.Helper()
	if status := b.Deliver(bridgetest.DeliveryOfJob(b.t, fixture, job)); status != http.StatusNoContent {
		b.t.Fatalf("delivery of %s: status %d", job, status)
	}
}

// awaitConsumer waits until is holds for a consumer that has nothing pending and nothing in flight. what describes is.
func (b exampleBridge) awaitConsumer(name, what string, is func(*jetstream.ConsumerInfo) bool) {
	b.t.Helper()
	bridgetest.Eventually(b.t, fmt.Sprintf("consumer %s has %s", name, what), func() bool {
		consumer, err := b.js.Consumer(b.t.Context(), "MKIO_EVENTS", name)
		if err != nil {
			b.t.Fatal(err)
		}
		info := consumer.CachedInfo()
		return info.NumAckPending == 0 && info.NumPending == 0 && is(info)
	})
}

// newExample prepares an example's process without starting it. The process ends with the test; its output is logged when
// the test fails.
func newExample(t *testing.T, name string, argv []string, env ...string) *bridgetest.Process {
	t.Helper()
	p, err := bridgetest.NewProcess(t.TempDir(), name, argv[0], argv[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	p.SetEnv(env...)
	t.Cleanup(func() {
		p.Close()
		if t.Failed() {
			t.Logf("%s logged:\n%s", name, p.Log)
		}
	})
	return p
}
