package poll

import (
	"slices"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// intervals are the configured times between polls, and the request budget that limits them.
type intervals struct {
	active, sweep, full time.Duration
	perMinute           int // requests that the project may take
}

// interval returns the time between two polls of a resource that has been in its state for age. In an open-ended state that is its
// age: what has been Pending for an hour is unlikely to be ready in five seconds. If MK.IO modifies its record when the state
// changes, a delta sweep sees the change before.
func (iv intervals) interval(kind lifecycle.Kind, state string, age time.Duration) time.Duration {
	if !openEnded(kind, state) {
		return iv.active
	}
	return min(max(iv.active, age), max(iv.active, iv.full))
}

// nearestTick returns the tick that is nearest to a time. Resources in motion are polled at ticks, which are an Active apart, so that
// one request for a list polls all that are due.
func (iv intervals) nearestTick(at time.Time) time.Time {
	return at.Add(iv.active / 2).Truncate(iv.active)
}

// atActiveRate reports whether a resource in motion is polled every Active.
func (iv intervals) atActiveRate(m *motion, now time.Time) bool {
	return iv.interval(m.key.Kind, m.fact.State, now.Sub(m.since)) == iv.active
}

// pickDue picks the resources to poll next, those that are new in their state first. It picks no more than half of the budget
// allows in an Active, so that new ones are not delayed.
func (iv intervals) pickDue(due []*motion, now time.Time) []*motion {
	slices.SortStableFunc(due, func(a, b *motion) int { return b.since.Compare(a.since) })
	atActiveRate := 0
	for _, m := range due {
		if iv.atActiveRate(m, now) {
			atActiveRate++
		}
	}
	limit := max(atActiveRate, maxConcurrent, int(iv.active.Minutes()*float64(iv.perMinute)/2))
	return due[:min(len(due), limit)]
}

// openEnded reports whether a resource may stay in a state of motion without limit: assets without media and channels that
// nobody has started are Pending, operations wait for their scheduled time. Jobs do not wait.
func openEnded(kind lifecycle.Kind, state string) bool {
	switch kind {
	case lifecycle.Job:
		return false
	case lifecycle.ScheduledOperation:
		return true
	default:
		return lifecycle.PhaseOf(kind, state, "") == lifecycle.Initial
	}
}

// stretchToBudget stretches an interval so that a number of requests in each takes no more than half of the budget.
func (iv intervals) stretchToBudget(interval time.Duration, requests int) time.Duration {
	return max(interval, time.Duration(requests)*2*time.Minute/time.Duration(max(1, iv.perMinute)))
}

// sweepBelowParents returns the time between two sweeps of each list below a parent, so that all of them take no more than a
// quarter of the budget.
func (iv intervals) sweepBelowParents(lists int) time.Duration {
	return max(iv.sweep, time.Duration(lists)*4*time.Minute/time.Duration(max(1, iv.perMinute)))
}

// pageCount returns how many requests it takes to list count resources.
func pageCount(count int) int { return count/mkio.PageSize + 1 }

// fitsOnePage reports whether a list is so short that a full sweep costs no more than a delta sweep.
func fitsOnePage(count int) bool { return pageCount(count) == 1 }

// minSweepInterval is the shortest time between two full sweeps that single resources cause. It grows with the number of
// pages, which is the cost of a sweep.
func (iv intervals) minSweepInterval(count int) time.Duration {
	return iv.active * time.Duration(pageCount(count))
}

// A strategy is a way to poll the resources in motion of a list.
type strategy uint8

const (
	oneByOne  strategy = iota // request each by its own address
	byState                   // request the list once for each state, filtered
	wholeList                 // sweep the whole list
)

// cheapestStrategy returns the strategy with the fewest requests, given how many resources are to be polled and how many are in
// motion, in how many states, and the resources on the list. Of two that cost the same it returns the first.
func cheapestStrategy(due, moving, states, known int, canByState bool) strategy {
	best, cost := oneByOne, due
	if pages := states + moving/mkio.PageSize; canByState && pages < cost {
		best, cost = byState, pages
	}
	if pageCount(known) < cost {
		best = wholeList
	}
	return best
}

// The backoff after a failure doubles with each failure in a row, between these limits.
const (
	minBackoff = 2 * time.Second
	maxBackoff = 5 * time.Minute
)

// backoff returns the time to wait after a number of failures in a row.
func backoff(failures int) time.Duration {
	return min(minBackoff<<min(failures-1, 10), maxBackoff)
}
