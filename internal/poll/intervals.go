package poll

import (
	"slices"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// pace is how often things are asked.
type intervals struct {
	active, sweep, full time.Duration
	perMinute           int // requests of the project
}

// patientAfter is the part of its age in a state after which a patient resource is asked for again: an eighth. What is Pending
// for an hour will not be ready in five seconds.
const ageDivisor = 8

// interval is the time between two looks at a resource that has been in a state for some time.
func (p intervals) interval(kind lifecycle.Kind, state string, age time.Duration) time.Duration {
	if !openEnded(kind, state) {
		return p.active
	}
	return min(max(p.active, age/ageDivisor), max(p.active, p.full))
}

// quick says whether a resource in motion is looked at every Active.
func (p intervals) atActiveRate(m *motion, now time.Time) bool {
	return p.interval(m.key.Kind, m.fact.State, now.Sub(m.since)) == p.active
}

// pickVisits picks the resources to visit next, those that are new in their state before those that stay in it. It picks no
// more than half of the budget allows in an Active, so that new ones are soon visited.
func (p intervals) pickDue(due []*motion, now time.Time) []*motion {
	slices.SortStableFunc(due, func(a, b *motion) int { return b.since.Compare(a.since) })
	atActiveRate := 0
	for _, m := range due {
		if p.atActiveRate(m, now) {
			atActiveRate++
		}
	}
	most := max(atActiveRate, maxConcurrent, int(p.active.Minutes()*float64(p.perMinute)/2))
	return due[:min(len(due), most)]
}

// patient says whether a resource may stay in a state of motion for as long as somebody likes: assets
// without media and channels that nobody started are Pending, operations wait for their hour. Jobs never wait.
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

// share stretches an interval so that looking at so many resources one by one takes no more than half of
// the budget.
func (p intervals) stretchToBudget(interval time.Duration, count int) time.Duration {
	return max(interval, time.Duration(count)*2*time.Minute/time.Duration(max(1, p.perMinute)))
}

// pagesOf is how many requests it takes to list so many resources.
func pageCount(count int) int { return count/mkio.PageSize + 1 }

// onePage says whether a list is so short that it costs nothing more to ask for all of it.
func fitsOnePage(count int) bool { return pageCount(count) == 1 }

// sweepPause is the shortest time between two sweeps that 404s of single resources ask for. It grows with the pages of the
// list, which are what a sweep costs.
func (p intervals) minSweepInterval(count int) time.Duration {
	return p.active * time.Duration(pageCount(count))
}

// A way is how resources in motion are looked at.
type strategy uint8

const (
	oneByOne  strategy = iota // by their own addresses
	byState                   // by lists of those in one state
	wholeList                 // by the whole list
)

// cheapest picks the way with the fewest requests; of two, the one that shows less.
func cheapestStrategy(moving, states, known int, canByState bool) strategy {
	best, cost := oneByOne, moving
	if canByState && states < cost {
		best, cost = byState, states
	}
	if pageCount(known) < cost {
		best = wholeList
	}
	return best
}

// firstRetry and lastRetry bound the pause after something failed; it doubles each time.
const (
	minBackoff = 2 * time.Second
	maxBackoff = 5 * time.Minute
)

// retryAfter is the pause after so many failures in a row.
func backoff(failures int) time.Duration {
	return min(minBackoff<<min(failures-1, 10), maxBackoff)
}
