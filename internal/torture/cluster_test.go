package torture

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/publish"
)

// A server that was killed cuts its streams back to what the others have; nats-server 2.15.2 cannot cut a compressed
// block, and leaves the stream out from then on.
func TestAKilledServerComesBackWithItsStreams(t *testing.T) {
	if testing.Short() {
		t.Skip("the servers are processes, which the race detector does not see into")
	}
	ctx, dir := t.Context(), t.TempDir()
	program, err := build(ctx, dir, serverPackage, overlay{}, false)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newCluster(ctx, dir, program, 3)
	t.Cleanup(func() { _ = c.close() })
	if err != nil {
		t.Fatal(err)
	}
	names := event.NewNames(event.DefaultPrefix)
	if err := publish.Ensure(ctx, c.js, publish.Streams{Names: names, Replicas: 3, Create: true}); err != nil {
		t.Fatal(err)
	}
	fill(t, c.js, 12<<20)
	leader, err := c.leader(ctx, eventStream)
	if err != nil {
		t.Fatal(err)
	}
	killed := c.servers[(leader+1)%len(c.servers)]
	killed.kill()
	fill(t, c.js, 1<<20)
	if err := killed.start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := eventually(ctx, 30*time.Second, func(ctx context.Context) error { return c.whole(ctx, eventStream, stateStream) }); err != nil {
		t.Error(err)
	}
	if broken, err := killed.find(3, "Critical write error"); err != nil || len(broken) > 0 {
		t.Errorf("%v, %q", err, broken)
	}
}

// fill writes so many bytes to the log, of a few resources, more than a block of it holds.
func fill(t *testing.T, js jetstream.JetStream, size int) {
	t.Helper()
	payload := bytes.Repeat([]byte("state "), 2000)
	var last jetstream.PubAckFuture
	for written := 0; written < size; written += len(payload) {
		subject := fmt.Sprintf("mkio.asset.aurora-vod.name-%d.ready", rand.IntN(50))
		future, err := js.PublishAsync(subject, payload)
		if err != nil {
			t.Fatal(err)
		}
		last = future
	}
	select {
	case <-last.Ok():
	case err := <-last.Err():
		t.Fatal(err)
	case <-t.Context().Done():
	}
	<-js.PublishAsyncComplete()
}
