// Package pause waits for a time, and no longer than a context lasts. In a bubble of testing/synctest the time is virtual.
package pause

import (
	"context"
	"time"
)

// For waits for d, or until the context ends. It returns the context's error, if that ended by now.
func For(ctx context.Context, d time.Duration) error {
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}
