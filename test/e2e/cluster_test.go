//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/streams"
	"mkio-bridge/internal/torture"
)

// A restarted server truncates its streams to what the other replicas have. nats-server 2.15.2 cannot truncate a compressed
// block and no longer serves that stream, so streams are not compressed.
func TestKilledServerRejoinsWithItsStreams(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	addresses, err := bridgetest.NewAddresses()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = addresses.Close() })
	c, err := torture.NewCluster(ctx, t.TempDir(), bridgetest.Program(t, bridgetest.NATSPackage), addresses, 3)
	t.Cleanup(func() { _ = c.Close() })
	if err != nil {
		t.Fatal(err)
	}
	names := event.NewNames(event.DefaultPrefix)
	if err := streams.Ensure(ctx, c.JS, streams.Config{Names: names, Replicas: 3, Create: true}); err != nil {
		t.Fatal(err)
	}
	fill(t, c.JS, 12<<20)
	leader, err := c.Leader(ctx, "MKIO_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	killed := c.Servers[(leader+1)%len(c.Servers)]
	killed.Kill()
	fill(t, c.JS, 1<<20)
	if err := killed.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := bridgetest.Until(ctx, 2*time.Minute, func(ctx context.Context) error { return c.CheckReplicas(ctx, "MKIO_EVENTS", "KV_mkio_state") }); err != nil {
		t.Error(err)
	}
	if broken, err := killed.Log.Find(3, "Critical write error"); err != nil || len(broken) > 0 {
		t.Errorf("%v, %q", err, broken)
	}
}

// fill writes size bytes to the log, on the subjects of 50 resources: more than one block of the store. It retries, because
// the client's server may have been killed.
func fill(t *testing.T, js jetstream.JetStream, size int) {
	t.Helper()
	payload := bytes.Repeat([]byte("state "), 2000)
	for written := 0; written < size; written += len(payload) {
		subject := fmt.Sprintf("mkio.asset.aurora-vod.name-%d.ready", rand.IntN(50))
		err := bridgetest.Until(t.Context(), time.Minute, func(ctx context.Context) error {
			_, err := js.Publish(ctx, subject, payload)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
