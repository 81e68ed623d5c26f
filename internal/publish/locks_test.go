package publish

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
)

// When some of the callers that wait for a lock are canceled, the others get it in order of arrival, and no queue is left in
// the end.
func TestLocksSkipCanceledCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held := locks{queues: map[string][]chan struct{}{}}
		if err := held.lock(t.Context(), "r", nil); err != nil {
			t.Fatal(err)
		}
		var had []int
		canceled, cancel := context.WithCancel(t.Context())
		for i := range 5 {
			ctx := t.Context()
			if i%2 == 0 {
				ctx = canceled
			}
			go func() {
				if err := held.lock(ctx, "r", nil); err != nil {
					if !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					return
				}
				had = append(had, i)
				held.unlock("r")
			}()
			synctest.Wait()
		}
		cancel()
		synctest.Wait()
		held.unlock("r")
		synctest.Wait()
		if want := []int{1, 3}; !slices.Equal(had, want) {
			t.Errorf("callers %v got the lock, want %v", had, want)
		}
		if len(held.queues) != 0 {
			t.Errorf("queues left: %v", held.queues)
		}
	})
}

// A lock that is given to a caller just as it is canceled goes to the next caller.
func TestAbandonedLockGoesToTheNextCaller(t *testing.T) {
	left, next := make(chan struct{}), make(chan struct{})
	held := locks{queues: map[string][]chan struct{}{"r": {left, next}}}
	held.unlock("r")
	held.abandon("r", left)
	for name, granted := range map[string]chan struct{}{"first": left, "next": next} {
		select {
		case <-granted:
		default:
			t.Errorf("the %s caller did not get the lock", name)
		}
	}
	held.unlock("r")
	if len(held.queues) != 0 {
		t.Errorf("queues left: %v", held.queues)
	}
}
