package streams_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/streams"
)

// A missing stream is recreated although an incompatible one precedes it, and the recreation is logged only after it
// succeeded.
func TestMissingStreamIsRecreatedBesideAnIncompatibleOne(t *testing.T) {
	_, js := brokertest.Start(t).Connect()
	c := streams.Config{Names: names, Replicas: 1, Create: true}
	if err := streams.Ensure(t.Context(), js, c); err != nil {
		t.Fatal(err)
	}
	changed := streams.All(c)[0]
	changed.AllowDirect = false
	if _, err := js.UpdateStream(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), names.AuditStream()); err != nil {
		t.Fatal(err)
	}
	var log bridgetest.Buffer
	w := streams.NewWatcher(js, c, time.Hour, slog.New(slog.NewTextHandler(&log, nil)))
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		w.Run(ctx, func(ctx context.Context) bool { w.Record(w.Query(ctx)); return true }, func(context.Context) {})
	})
	defer running.Wait()
	defer stop()
	bridgetest.Eventually(t, "a recreation is logged", func() bool { return log.Contains("was missing and was recreated") })
	if _, err := js.Stream(t.Context(), names.AuditStream()); err != nil {
		t.Errorf("logged as recreated: %v", err)
	}
	if w.Err() == nil {
		t.Error("the changed stream is not reported")
	}
}
