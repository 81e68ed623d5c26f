package publish

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
)

// TestLocksGoOnWithoutThoseWhoLeave has some of those who wait for one resource leave: the others get the lock in the
// order in which they came, and nothing is remembered in the end.
func TestLocksGoOnWithoutThoseWhoLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held := locks{queues: map[string][]chan struct{}{}}
		if err := held.lock(t.Context(), "r", nil); err != nil {
			t.Fatal(err)
		}
		var had []int
		leaving, leave := context.WithCancel(t.Context())
		for i := range 5 {
			ctx := t.Context()
			if i%2 == 0 {
				ctx = leaving
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
		leave()
		synctest.Wait()
		held.unlock("r")
		synctest.Wait()
		if want := []int{1, 3}; !slices.Equal(had, want) {
			t.Errorf("the lock was had by %v, want %v", had, want)
		}
		if len(held.queues) != 0 {
			t.Errorf("%v are remembered", held.queues)
		}
	})
}

// TestATurnThatNobodyTakesGoesToTheNext has a turn come to somebody who leaves at that moment.
func TestATurnThatNobodyTakesGoesToTheNext(t *testing.T) {
	left, next := make(chan struct{}), make(chan struct{})
	held := locks{queues: map[string][]chan struct{}{"r": {left, next}}}
	held.unlock("r")
	held.abandon("r", left)
	for name, turn := range map[string]chan struct{}{"first": left, "next": next} {
		select {
		case <-turn:
		default:
			t.Errorf("the %s has not been given the turn", name)
		}
	}
	held.unlock("r")
	if len(held.queues) != 0 {
		t.Errorf("%v are remembered", held.queues)
	}
}
