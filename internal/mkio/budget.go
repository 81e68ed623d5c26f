package mkio

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A Class says how urgent a request is. Of those that wait for the budget the most urgent goes first.
type Class uint8

// The classes.
const (
	Urgent  Class = iota // resources in motion, and what somebody asked for
	Changes              // what changed since the last look
	Sweeps               // everything there is
	classes
)

// A Budget grants the requests that one project takes in a minute.
type Budget struct {
	rate  float64 // grants a second
	burst float64 // grants that may have been saved

	mu      sync.Mutex
	grants  float64
	asOf    time.Time // when grants was right
	paused  time.Time // nothing is granted before
	waiting [classes][]chan struct{}
	timer   *time.Timer
}

// NewBudget returns a budget of so many requests in any minute. Nothing is saved at first: whoever asked before, a
// process that was restarted or another that died, may have spent it.
func NewBudget(perMinute int) *Budget {
	burst := max(1, float64(perMinute)/20)
	return &Budget{rate: max(1, float64(perMinute)-burst) / 60, burst: burst, grants: 1, asOf: time.Now()}
}

// Take waits for a grant.
func (b *Budget) Take(ctx context.Context, class Class) error {
	granted := make(chan struct{})
	b.mu.Lock()
	b.waiting[class] = append(b.waiting[class], granted)
	b.dispatch()
	b.mu.Unlock()
	select {
	case <-granted:
		return nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiting[class], granted); i >= 0 {
		b.waiting[class] = slices.Delete(b.waiting[class], i, i+1)
	} else {
		b.grants++ // it came too late
	}
	b.dispatch()
	return ctx.Err()
}

// Pause holds all grants back until a moment.
func (b *Budget) Pause(until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until.After(b.paused) {
		b.paused = until
	}
}

// dispatch gives out what there is, and comes again when there is more. The caller holds the lock.
func (b *Budget) dispatch() {
	now := time.Now()
	b.refill(now)
	for b.grants >= 1 && !now.Before(b.paused) {
		next := b.next()
		if next == nil {
			return
		}
		b.grants--
		close(next)
	}
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
	if !slices.ContainsFunc(b.waiting[:], func(w []chan struct{}) bool { return len(w) > 0 }) {
		return
	}
	wait := time.Duration((1-b.grants)/b.rate*float64(time.Second)) + time.Microsecond // or rounding would come too early
	b.timer = time.AfterFunc(max(wait, b.paused.Sub(now)), func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.dispatch()
	})
}

func (b *Budget) refill(now time.Time) {
	b.grants = min(b.burst, b.grants+b.rate*now.Sub(b.asOf).Seconds())
	b.asOf = now
}

// next takes the most urgent of those that wait.
func (b *Budget) next() chan struct{} {
	for class := range b.waiting {
		if len(b.waiting[class]) > 0 {
			first := b.waiting[class][0]
			b.waiting[class] = b.waiting[class][1:]
			return first
		}
	}
	return nil
}
