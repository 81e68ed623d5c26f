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

// JetStream's API, which reads go through, is shared with readers: a read that it does not answer costs the delivery that
// needs it, and no other.
func TestReadsThatAreNotAnsweredCostNoOtherDelivery(t *testing.T) {
	defer brokertest.HoldClock()()
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
		p.reader.get = func(ctx context.Context, _ string, _ map[string]any) (*stored, error) {
			ctx, cancel := context.WithTimeout(ctx, readWait)
			defer cancel()
			<-ctx.Done()
			return nil, readError{ctx.Err()}
		}
		if err := observe("one", "Processing"); err != nil {
			t.Errorf("a repeat of what is known needs no read: %v", err)
		}
		p.follower.trims.Store(true) // a log that forgets: whether there was an event of a resource, the state bucket has to tell
		if err := observe("three", "Processing"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("a delivery that could not be looked up: %v", err)
		}
		p.follower.trims.Store(false)
		if err := p.Trouble(); err != nil {
			t.Errorf("a read without an answer: %v", err)
		}
		if err := p.Ready(t.Context()); err != nil {
			t.Errorf("not ready: %v", err)
		}
		if err := observe("two", "Processing"); err != nil {
			t.Errorf("another delivery: %v", err)
		}
	})
}
