package poll

import (
	"context"
	"slices"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// An activePoll polls the resources in motion, with the strategy that takes the fewest requests. It has no state: see motions.
type activePoll struct {
	*scope
	motions *motions
	fetcher *fetcher
	deltas  *deltaSweeps
	sweeps  *fullSweeps
}

// poll polls the resources of a list that are in motion.
func (p *activePoll) poll(ctx context.Context, l *list, moving []*motion) error {
	plan := p.motions.plan(l, moving, time.Now())
	var err error
	switch plan.strategy {
	case oneByOne:
		err = p.fetcher.fetchAll(ctx, l, plan.requests)
	case byState:
		err = p.byState(ctx, l, moving, plan.states)
	case wholeList:
		err = p.sweeps.sweepForMotions(ctx, l)
	}
	p.motions.reschedule(plan, time.Now())
	return err
}

// An activePlan says how an active poll of a list is done.
type activePlan struct {
	strategy strategy
	states   []string       // to filter by; empty where the strategy is not available
	motions  []*motion      // the resources that the poll covers
	requests []fetchRequest // one for each of them; for oneByOne only
	// requestsEachActive is how many requests it takes to poll those that are polled every Active: all of the list one by one, or
	// the lists below all parents. 0: few.
	requestsEachActive int
}

// statesOf returns the states of resources in motion, in the order in which they usually follow each other: a resource that
// moves on between two requests is then on the second. It returns none if a state cannot be part of a filter.
func statesOf(moving []*motion) []string {
	var states []string
	for _, m := range moving {
		if m.fact.State == "" || !isPlainWord(m.fact.State) {
			return nil
		}
		if !slices.Contains(states, m.fact.State) {
			states = append(states, m.fact.State)
		}
	}
	if len(moving) > 0 {
		lifecycle.SortStates(moving[0].key.Kind, states)
	}
	return states
}

// isPlainWord reports whether a state can be part of a filter.
func isPlainWord(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return true
}

// fewRequests is how many resources are requested one by one at once, instead of by a list that is likely to have them.
const fewRequests = 2

// byState requests the list filtered by each of the states, and the resources that are on none of these lists by the means that
// takes the fewest requests: they have changed since, so a delta sweep is likely to have them.
func (p *activePoll) byState(ctx context.Context, l *list, moving []*motion, states []string) error {
	seen := map[lifecycle.Key]bool{}
	for _, state := range states {
		if err := p.deltas.walk(ctx, l, mkio.Filter{State: state}, mkio.Urgent, seen); err != nil {
			return err
		}
	}
	missing := notSeen(moving, seen)
	if len(missing) > fewRequests && p.hasDeltas(l) {
		if l.schedule.due().running[modeDelta] {
			return nil // it is likely to have them; if not, the next active poll misses them too
		}
		if err := p.deltas.sweep(ctx, l, mkio.Urgent, seen); err != nil {
			return err
		}
		missing = notSeen(moving, seen)
	}
	if takesMoreThan(pageCount(p.count(l)), missing) {
		return p.sweeps.sweepForMotions(ctx, l)
	}
	return p.fetcher.fetchKeys(ctx, l, missing)
}

// notSeen returns the resources in motion that no list had.
func notSeen(moving []*motion, seen map[lifecycle.Key]bool) (missing []lifecycle.Key) {
	for _, m := range moving {
		if !seen[m.key] {
			missing = append(missing, m.key)
		}
	}
	return missing
}
