//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/schematest"
)

// readLog returns the sources of the events that mkio-bridge events prints.
func readLog(t *testing.T, env []string, flags ...string) (sources []string) {
	t.Helper()
	stdout, stderr, code := bridgetest.Run(t, env, append([]string{"events", "--output", "json"}, flags...)...)
	if code != exitOK {
		t.Fatalf("events: exit %d: %s", code, stderr)
	}
	for line := range strings.Lines(stdout) {
		schematest.Event(t, []byte(line))
		var e struct{ Source string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		sources = append(sources, e.Source)
	}
	return sources
}

// hasJob reports whether one of the sources is the job.
func hasJob(sources []string, job string) bool {
	for _, source := range sources {
		if strings.HasSuffix(source, "/jobs/"+job) {
			return true
		}
	}
	return false
}

// awaitKey waits until a bucket has a key: the server fills the state bucket asynchronously, after the delivery's response.
func awaitKey(t *testing.T, js jetstream.JetStream, bucket, key string) {
	t.Helper()
	kv, err := js.KeyValue(t.Context(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	watcher, err := kv.Watch(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	for entry := range watcher.Updates() {
		if entry != nil {
			return
		}
	}
	t.Fatalf("bucket %s never has %s", bucket, key)
}

// awaitStateOutput repeats mkio-bridge state with the flags until it prints a resource, and returns its output.
func awaitStateOutput(t *testing.T, env []string, flags ...string) (stdout string) {
	t.Helper()
	bridgetest.Eventually(t, "mkio-bridge state prints a resource", func() bool {
		var stderr string
		var code int
		if stdout, stderr, code = bridgetest.Run(t, env, append([]string{"state", "--no-headers"}, flags...)...); code != exitOK {
			t.Fatalf("state: exit %d: %s", code, stderr)
		}
		return stdout != ""
	})
	return stdout
}

// awaitState waits until the state bucket of a bridge's embedded server has a job of [bridgetest.DeliveryOfJob].
func awaitState(t *testing.T, b *bridgetest.Bridge, job string) {
	t.Helper()
	awaitKey(t, jetStream(t, b), "mkio_state", "job.aurora-vod.ladder-hd."+job)
}

// jetStream connects to the readers' port of a bridge's embedded server.
func jetStream(t *testing.T, b *bridgetest.Bridge) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(b.NATS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// mustDeliver posts a delivery, which must become an event or be a duplicate of one.
func mustDeliver(t *testing.T, b *bridgetest.Bridge, body []byte, headers ...string) {
	t.Helper()
	if status := b.Deliver(body, headers...); status != http.StatusNoContent {
		t.Fatalf("delivery: status %d", status)
	}
}

func jobStarted(t *testing.T, name string) []byte {
	t.Helper()
	return bridgetest.DeliveryOfJob(t, "job-started.json", name)
}

// verifyRoot returns the root that mkio-bridge verify prints last, and its exit code.
func verifyRoot(t *testing.T, b *bridgetest.Bridge, flags ...string) (root string, code int) {
	t.Helper()
	out, errs, code := bridgetest.Run(t, b.Env(), append([]string{"verify"}, flags...)...)
	lines := strings.Fields(out)
	if len(lines) == 0 {
		t.Fatalf("verify: exit %d: %s", code, errs)
	}
	return lines[len(lines)-1], code
}
