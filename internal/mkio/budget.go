package mkio

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A Class is the urgency of a request. Where requests of several classes wait, each class gets its share of the grants, so that
// none waits for ever.
type Class uint8

// The classes, the most urgent first.
const (
	Urgent  Class = iota // resources in motion, rechecks and requests of operators
	Changes              // delta sweeps, confirmations of deletions, and rechecks that are many
	Sweeps               // full sweeps
	classes
)

// shares are the shares of the classes in the grants, in tenths.
var shares = [classes]int{Urgent: 7, Changes: 2, Sweeps: 1}

// A Budget is a token bucket that limits the requests of one project in any minute.
type Budget struct {
	rate  float64 // grants a second
	burst float64 // most grants that can be saved

	mu         sync.Mutex
	grants     float64
	refilledAt time.Time // when grants was computed
	paused     time.Time // no grants before
	waiting    [classes][]chan struct{}
	credit     [classes]int // of the classes that wait, in tenths of a grant
	timer      *time.Timer
	granted    [usedSlots]slot // by slot of time, to report how much is used
}

// Grants are counted in slots of 10 seconds.
const (
	slotLength = 10 * time.Second
	usedSlots  = int(time.Minute/slotLength) + 1
)

// A slot counts the grants of a slot of time.
type slot struct {
	number int64 // slots since 1970
	grants int
}

// count counts a grant. The caller holds the lock.
func (b *Budget) count(now time.Time) {
	number := now.UnixNano() / int64(slotLength)
	s := &b.granted[number%int64(usedSlots)]
	if s.number != number {
		*s = slot{number: number}
	}
	s.grants++
}

// Used returns how many requests the budget granted in the last minute, to the last full ten seconds.
func (b *Budget) Used(now time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	current, used := now.UnixNano()/int64(slotLength), 0
	for _, s := range b.granted {
		if s.number < current && s.number >= current-int64(usedSlots)+1 {
			used += s.grants
		}
	}
	return used
}

// NewBudget returns a budget of perMinute requests in any minute. It starts without saved grants: a bridge that ran before,
// in this process or another, may have spent them.
func NewBudget(perMinute int) *Budget {
	burst := max(1, float64(perMinute)/20)
	return &Budget{rate: max(1, float64(perMinute)-burst) / 60, burst: burst, grants: 1, refilledAt: time.Now()}
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
		b.grants++ // granted after the context ended
	}
	b.dispatch()
	return ctx.Err()
}

// Pause stops all grants until a time.
func (b *Budget) Pause(until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until.After(b.paused) {
		b.paused = until
	}
}

// dispatch grants what is available and schedules itself for when more is. The caller holds the lock.
func (b *Budget) dispatch() {
	now := time.Now()
	b.refill(now)
	for b.grants >= 1 && !now.Before(b.paused) {
		next := b.next()
		if next == nil {
			return
		}
		b.grants--
		b.count(now)
		close(next)
	}
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
	if !slices.ContainsFunc(b.waiting[:], func(w []chan struct{}) bool { return len(w) > 0 }) {
		return
	}
	wait := time.Duration((1-b.grants)/b.rate*float64(time.Second)) + time.Microsecond // rounding down would fire too early
	b.timer = time.AfterFunc(max(wait, b.paused.Sub(now)), func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.dispatch()
	})
}

func (b *Budget) refill(now time.Time) {
	b.grants = min(b.burst, b.grants+b.rate*now.Sub(b.refilledAt).Seconds())
	b.refilledAt = now
}

// next removes and returns the request that is granted next; nil if none waits. It is the first of the class with the most
// credit, a smooth weighted round robin: at each grant every waiting class earns its share, and the one that is served pays what
// all have earned.
func (b *Budget) next() chan struct{} {
	served, earned := -1, 0
	for class := range b.waiting {
		if len(b.waiting[class]) == 0 {
			b.credit[class] = 0 // a class that does not wait saves nothing
			continue
		}
		b.credit[class] += shares[class]
		earned += shares[class]
		if served < 0 || b.credit[class] > b.credit[served] {
			served = class
		}
	}
	if served < 0 {
		return nil
	}
	b.credit[served] -= earned
	first := b.waiting[served][0]
	b.waiting[served] = b.waiting[served][1:]
	return first
}
