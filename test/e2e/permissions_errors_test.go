//go:build e2e

package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
)

// With a reader's credentials, errors name the credentials; they do not say that NATS is unreachable or that a stream must
// be changed.
func TestBridgeWithReaderCredentials(t *testing.T) {
	g := startFilled(t)
	env := append(g.env("mkio-reader", "reader"), "BRIDGE_MKIO_URL=http://127.0.0.1:1")
	_, errs, code := bridgetest.Run(t, append(env, "BRIDGE_LISTEN=127.0.0.1:0", "BRIDGE_ADMIN_LISTEN=127.0.0.1:0"), "run")
	if code != exitFailed || !strings.Contains(errs, "does not import the requested part of the JetStream API") || !strings.Contains(errs, "credentials of a reader") {
		t.Errorf("run: exit %d: %s", code, errs)
	}
	out, errs, code := bridgetest.Run(t, env, "doctor")
	if code != exitFailed || strings.Contains(out, "change the stream") || !strings.Contains(out, "ok       stream MKIO_EVENTS") ||
		!strings.Contains(out, "FAILED   stream KV_mkio_lease: ") || !strings.Contains(out, "The streams are not at fault") {
		t.Errorf("doctor: exit %d: %s%s", code, out, errs)
	}
	_, errs, code = bridgetest.Run(t, g.env("mkio-reader", "wrong"), "events")
	if code != exitFailed || !strings.Contains(errs, "refuses the connection") || !strings.Contains(errs, "_PASSWORD") {
		t.Errorf("a wrong password: exit %d: %s", code, errs)
	}
}

// Listing keys, as `nats kv ls mkio_state` does, works with the inbox prefix of deploy/nats/README.md; without it, the
// request would hang.
func TestReaderListsKeysWithInboxPrefix(t *testing.T) {
	g := startFilled(t)
	js, err := jetstream.New(g.connect("mkio-reader", "reader", nats.CustomInboxPrefix("_INBOX_READER")))
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := js.KeyValue(t.Context(), "mkio_state")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	keys, err := bucket.Keys(ctx)
	if err != nil || !strings.Contains(strings.Join(keys, " "), "job.aurora-vod.ladder-hd.ep-0417") {
		t.Errorf("keys %v, %v", keys, err)
	}
}
