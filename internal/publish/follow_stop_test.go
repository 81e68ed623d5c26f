package publish_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/lifecycle"
)

// A bridge that is stopped while the log cannot be read does not wait for it.
func TestFollowStopsWhileTheLogIsMissing(t *testing.T) {
	defer brokertest.StartServerClock()()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t)
		p := f.publisher(false, nil)
		if err := p.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); p.Follow(ctx, func(string, lifecycle.Fact) {}) }()
		time.Sleep(time.Second)
		if err := f.js.DeleteStream(t.Context(), names.EventStream()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		stop()
		stopped := time.Now()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Error("Follow still runs after a minute")
		}
		if took := time.Since(stopped); took > time.Second {
			t.Errorf("Follow ended after %s", took)
		}
		time.Sleep(time.Minute) // leftover goroutines would show
	})
}
