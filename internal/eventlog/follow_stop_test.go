package eventlog_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/streams"
)

// A follower stops when its context ends, though the log is missing.
func TestFollowStopsWhileTheLogIsMissing(t *testing.T) {
	defer brokertest.StartServerClock()()
	synctest.Test(t, func(t *testing.T) {
		_, js := brokertest.Start(t).Connect()
		if err := streams.Ensure(t.Context(), js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range eventlog.New(js, names).Events(ctx, eventlog.Query{Follow: true}) {
				t.Error("unexpected event")
			}
		}()
		time.Sleep(time.Second)
		if err := js.DeleteStream(t.Context(), names.EventStream()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		stop()
		stopped := time.Now()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Error("the follower still runs after a minute")
		}
		if took := time.Since(stopped); took > time.Second {
			t.Errorf("the follower stopped after %s", took)
		}
		time.Sleep(time.Minute) // leftover goroutines would show
	})
}
