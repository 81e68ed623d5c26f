package poll

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// An activePoll asks for the resources in motion, in the way that costs the fewest requests. It has no state: see motions.
type activePoll struct {
	*scope
	motions *motions
	fetcher *fetcher
	deltas  *deltaSweeps
	sweeps  *fullSweeps
}

// look asks for the resources of a list that are in motion.
func (p *activePoll) poll(ctx context.Context, l *list, moving []*motion) error {
	plan := p.motions.plan(l, moving, time.Now())
	var err error
	switch plan.strategy {
	case oneByOne:
		err = p.fetcher.fetchAll(ctx, l, plan.requests)
	case byState:
		err = p.byState(ctx, l, moving, plan.states)
	case wholeList:
		err = p.sweeps.sweep(ctx, l, mkio.Urgent)
	}
	p.motions.reschedule(plan, time.Now())
	return err
}

// A lookPlan says how resources in motion are looked at.
type activePlan struct {
	strategy     strategy
	states       []string
	motions      []*motion      // that are looked at
	requests     []fetchRequest // of them, one by one
	atActiveRate int            // how many are looked at every Active
}

// statesOf returns the states of resources in motion, in the order in which they usually follow each
// other, so that one that moves on between two questions is seen by the second. It is empty where a
// state cannot be asked for.
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

// plainWord says whether a state may stand in a question.
func isPlainWord(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return true
}

// fewMissing is how many resources that have left their state are visited one by one; more are looked for by a delta sweep
// first.
const maxMissingOneByOne = 2

// byState asks for the resources in each of the states, then for those that have left them.
func (p *activePoll) byState(ctx context.Context, l *list, moving []*motion, states []string) error {
	seen := map[lifecycle.Key]bool{}
	for _, state := range states {
		if err := p.deltas.walk(ctx, l, mkio.Filter{State: state}, mkio.Urgent, seen); err != nil {
			return err
		}
	}
	missing := func() (keys []lifecycle.Key) {
		for _, m := range moving {
			if !seen[m.key] {
				keys = append(keys, m.key)
			}
		}
		return keys
	}
	ready := !l.progress.deltaSince().IsZero() && !l.schedule.due().running[modeDelta]
	if len(missing()) > maxMissingOneByOne && l.ByChange() && ready {
		if err := p.deltas.sweep(ctx, l, mkio.Urgent, seen); err != nil {
			return err
		}
	}
	return p.fetchMissing(ctx, l, missing())
}

// visitMissing visits resources that the lists by state did not show in their recorded state. If there are many, it visits some
// first: if those are all as they were, the lists are wrong, and the rest is not visited.
func (p *activePoll) fetchMissing(ctx context.Context, l *list, keys []lifecycle.Key) error {
	if len(keys) <= maxContradictions {
		return p.fetcher.fetchKeys(ctx, l, keys)
	}
	some, rest := keys[:maxContradictions], keys[maxContradictions:]
	before := make([]uint64, len(some))
	for i, key := range some {
		before[i] = p.headOf(key).sequence()
	}
	if err := p.fetcher.fetchKeys(ctx, l, some); err != nil {
		return err
	}
	for i, key := range some {
		if p.headOf(key).sequence() != before[i] {
			return p.fetcher.fetchKeys(ctx, l, rest)
		}
	}
	return fmt.Errorf("%w: it lacks %d resources, and those that were asked for are as they were", errIncomplete, len(keys))
}
