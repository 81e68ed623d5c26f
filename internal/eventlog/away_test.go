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

// A reader that follows the log ends when it is told to, though there is none.
func TestAFollowerEndsThoughTheLogIsAway(t *testing.T) {
	defer brokertest.HoldClock()()
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
				t.Error("there is an event")
			}
		}()
		time.Sleep(time.Second)
		if err := js.DeleteStream(t.Context(), names.EventStream()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		stop()
		told := time.Now()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Error("it goes on for a minute and more")
		}
		if took := time.Since(told); took > time.Second {
			t.Errorf("it ended after %s", took)
		}
		time.Sleep(time.Minute) // for what was left behind
	})
}
