package bridgetest

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// retryInterval is the pause between attempts of [Until]: short for a person, long compared with an attempt.
const retryInterval = 20 * time.Millisecond

// Until calls try until it succeeds or the time is over, and returns the last error. The context of each attempt ends after
// five seconds.
func Until(ctx context.Context, within time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		attempt, done := context.WithTimeout(ctx, 5*time.Second)
		err := try(attempt)
		done()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(retryInterval):
		case <-ctx.Done():
			return err
		}
	}
}

// eventuallyTimeout is how long a test waits for what should happen at once. It only bounds a failing test; a busy machine
// may need most of it.
const eventuallyTimeout = 2 * time.Minute

// Eventually waits until a condition holds, and fails the test if it never does. It is for conditions that no event signals;
// where there is an event, wait for the event.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	err := Until(t.Context(), eventuallyTimeout, func(context.Context) error {
		if condition() {
			return nil
		}
		return fmt.Errorf("%s: not after %s", what, eventuallyTimeout)
	})
	if err != nil {
		t.Fatal(err)
	}
}
