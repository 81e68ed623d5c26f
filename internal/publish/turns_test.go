package publish

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
)

// TestTurnsGoOnWithoutThoseWhoLeave has some of those who wait for one resource leave: the others have their turns in the
// order in which they came, and nothing is remembered in the end.
func TestTurnsGoOnWithoutThoseWhoLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := turns{queues: map[string][]chan struct{}{}}
		if err := turns.take(t.Context(), "r", nil); err != nil {
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
				if err := turns.take(ctx, "r", nil); err != nil {
					if !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					return
				}
				had = append(had, i)
				turns.leave("r")
			}()
			synctest.Wait()
		}
		leave()
		synctest.Wait()
		turns.leave("r")
		synctest.Wait()
		if want := []int{1, 3}; !slices.Equal(had, want) {
			t.Errorf("turns were had by %v, want %v", had, want)
		}
		if len(turns.queues) != 0 {
			t.Errorf("%v are remembered", turns.queues)
		}
	})
}

// TestATurnThatNobodyTakesGoesToTheNext has a turn come to somebody who leaves at that moment.
func TestATurnThatNobodyTakesGoesToTheNext(t *testing.T) {
	left, next := make(chan struct{}), make(chan struct{})
	turns := turns{queues: map[string][]chan struct{}{"r": {left, next}}}
	turns.leave("r")
	turns.abandon("r", left)
	for name, turn := range map[string]chan struct{}{"first": left, "next": next} {
		select {
		case <-turn:
		default:
			t.Errorf("the %s has not been given the turn", name)
		}
	}
	turns.leave("r")
	if len(turns.queues) != 0 {
		t.Errorf("%v are remembered", turns.queues)
	}
}
