// Package pause sleeps until a time has passed or a context ends. In a bubble of testing/synctest the time is virtual.
package pause

import (
	"context"
	"time"
)

// For sleeps for d, or until the context ends. It returns the context's error: nil if the context has not ended.
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
