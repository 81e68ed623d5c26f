package publish_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/lifecycle"
)

// A server that opens the state bucket before the log fills it ten seconds later. A bridge does not wait for that: it reads
// the missing events from the log.
func TestLoadDoesNotWaitForALaggingStateBucket(t *testing.T) {
	defer brokertest.StartServerClock()()
	synctest.Test(t, func(t *testing.T) { // the waits are virtual
		f := setUp(t)
		writer := f.publisher(false, nil)
		job := key(t, lifecycle.Job, "ladder", "ep-1")
		f.want(writer, delivery(job, "Processing", 1), lifecycle.Changed)
		if err := f.js.DeleteStream(t.Context(), names.StateStream()); err != nil {
			t.Fatal(err)
		}
		if _, err := f.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: names.StateStream()}); err != nil { // the server does not fill it
			t.Fatal(err)
		}
		p := f.publisher(false, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := p.Load(ctx); err != nil {
			t.Fatal(err)
		}
		following, stop := context.WithCancel(ctx)
		p.Follow(following, func(string, lifecycle.Fact) { stop() })
		if fact, ok := p.Recorded(job); !ok || fact.State != "Processing" {
			t.Errorf("recorded is %+v, %t", fact, ok)
		}
	})
}
