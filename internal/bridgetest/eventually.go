package bridgetest

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// between tries of [Until]: short beside what a person notices, long beside what a look costs.
const between = 20 * time.Millisecond

// Until tries until it succeeds or the time is over, and returns the last error. A try that hangs is given up after five
// seconds.
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
		case <-time.After(between):
		case <-ctx.Done():
			return err
		}
	}
}

// patience is how long a test waits for what should happen at once. It only bounds how long a failing test takes: a
// machine that is busy with others may need most of it.
const patience = 2 * time.Minute

// Eventually waits until a condition holds and fails the test when it never does. It is for conditions that nothing
// announces; where there is an event, wait for the event.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	err := Until(t.Context(), patience, func(context.Context) error {
		if holds() {
			return nil
		}
		return fmt.Errorf("%s: not so after %s", what, patience)
	})
	if err != nil {
		t.Fatal(err)
	}
}
