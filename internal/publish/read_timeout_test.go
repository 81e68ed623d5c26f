package publish

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/lifecycle"
)

// JetStream's API, which serves reads, is shared with all clients: a read without a response fails the delivery that needs
// it, and no other.
func TestReadTimeoutFailsOneDeliveryOnly(t *testing.T) {
	defer brokertest.StartServerClock()()
	synctest.Test(t, func(t *testing.T) { // the waits are virtual
		p := bridges(t, 1)[0]
		if err := p.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		observe := func(name, state string) error {
			key, err := lifecycle.NewKey(lifecycle.Job, "aurora-vod", "ladder-hd", name)
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Observe(t.Context(), lifecycle.Observation{Key: key, State: state, At: time.Now(), Via: lifecycle.Webhook})
			return err
		}
		if err := observe("one", "Processing"); err != nil {
			t.Fatal(err)
		}
		p.reader.get = func(ctx context.Context, _ string, _ map[string]any) (*storedMessage, error) {
			ctx, cancel := context.WithTimeout(ctx, readWait)
			defer cancel()
			<-ctx.Done()
			return nil, readError{ctx.Err()}
		}
		if err := observe("one", "Processing"); err != nil {
			t.Errorf("a duplicate of a cached event needs no read: %v", err)
		}
		p.follower.mayTrim.Store(true) // so that the state bucket has to be read for a resource without a cached head
		if err := observe("three", "Processing"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("a delivery that needs a read: %v", err)
		}
		p.follower.mayTrim.Store(false)
		if err := p.Unavailable(); err != nil {
			t.Errorf("an unanswered read: %v", err)
		}
		if err := p.Ready(t.Context()); err != nil {
			t.Errorf("not ready: %v", err)
		}
		if err := observe("two", "Processing"); err != nil {
			t.Errorf("another delivery: %v", err)
		}
	})
}
