package poll

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// look asks for the resources of a list that are in motion.
func (p *project) look(ctx context.Context, l *list, moving []*motion) error {
	plan := p.planLook(l, moving, time.Now())
	var err error
	switch plan.way {
	case each:
		err = p.visitAll(ctx, l, plan.visits)
	case byState:
		err = p.lookByState(ctx, l, moving, plan.states)
	case whole:
		err = p.sweep(ctx, l, mkio.Urgent)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for _, m := range plan.motions {
		wait := p.pace.interval(m.key.Kind, m.fact.State, now.Sub(m.since))
		if plan.way == each && p.pace.quick(m, now) {
			wait = p.pace.share(wait, plan.quick)
		}
		m.next = now.Add(wait)
	}
	return err
}

// A lookPlan says how resources in motion are looked at.
type lookPlan struct {
	way     way
	states  []string
	motions []*motion // that are looked at
	visits  []visit   // of them, one by one
	quick   int       // how many are looked at every Active
}

// A visit is one question for a resource.
type visit struct {
	key   lifecycle.Key
	class mkio.Class
}

// planLook picks the cheapest way, and, where resources are visited one by one, which: those that are patient come
// when nothing else is to be asked.
func (p *project) planLook(l *list, moving []*motion, now time.Time) lookPlan {
	p.mu.Lock()
	defer p.mu.Unlock()
	plan := lookPlan{states: statesOf(moving), motions: moving}
	var due []*motion
	for _, m := range moving {
		if p.pace.quick(m, now) {
			plan.quick++
		}
		if !now.Before(m.next) {
			due = append(due, m)
		}
	}
	plan.way = cheapest(len(due), len(plan.states), p.count(l), l.ByState() && len(plan.states) > 0)
	if l.Stateless() {
		plan.way = each
	}
	if plan.way != each {
		return plan
	}
	plan.motions = p.pace.first(due, now)
	for _, m := range plan.motions {
		class := mkio.Sweeps
		if p.pace.quick(m, now) {
			class = mkio.Urgent
		}
		plan.visits = append(plan.visits, visit{m.key, class})
	}
	return plan
}

// visitAll visits resources side by side. What is wrong with one does not keep it from the others.
func (p *project) visitAll(ctx context.Context, l *list, visits []visit) error {
	var trouble troubles
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxStates)
	for _, v := range visits {
		group.Go(func() error { return trouble.note(p.visit(ctx, l, v.key, lifecycle.Poll, v.class)) })
	}
	err := group.Wait()
	p.tellTroubles(l, looking, &trouble)
	return err
}

// visitKeys visits resources that are to be found out about at once.
func (p *project) visitKeys(ctx context.Context, l *list, keys []lifecycle.Key) error {
	visits := make([]visit, len(keys))
	for i, key := range keys {
		visits[i] = visit{key, mkio.Urgent}
	}
	return p.visitAll(ctx, l, visits)
}

// statesOf returns the states of resources in motion, in the order in which they usually follow each
// other, so that one that moves on between two questions is seen by the second. It is empty where a
// state cannot be asked for.
func statesOf(moving []*motion) []string {
	var states []string
	for _, m := range moving {
		if m.fact.State == "" || !plainWord(m.fact.State) {
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
func plainWord(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return true
}

// fewMissing is how many resources that have left their state are visited rather than found among the changes.
const fewMissing = 2

// lookByState asks for the resources in each of the states, then for those that have left them.
func (p *project) lookByState(ctx context.Context, l *list, moving []*motion, states []string) error {
	seen := map[lifecycle.Key]bool{}
	for _, state := range states {
		if err := p.walk(ctx, l, mkio.Filter{State: state}, mkio.Urgent, seen); err != nil {
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
	p.mu.Lock()
	ready := !l.base.IsZero() && !l.busy[changes]
	p.mu.Unlock()
	if len(missing()) > fewMissing && l.ByChange() && ready {
		if err := p.askChanges(ctx, l, mkio.Urgent, seen); err != nil {
			return err
		}
	}
	return p.visitMissing(ctx, l, missing())
}

// visitMissing visits resources that are not in the state any more in which they are recorded, if the lists
// can be believed. Where some of many turn out to be as they were, all are likely to.
func (p *project) visitMissing(ctx context.Context, l *list, keys []lifecycle.Key) error {
	if len(keys) <= maxContradictions {
		return p.visitKeys(ctx, l, keys)
	}
	some, rest := keys[:maxContradictions], keys[maxContradictions:]
	before := make([]lifecycle.Fact, len(some))
	for i, key := range some {
		before[i], _ = p.Log.Recorded(key)
	}
	if err := p.visitKeys(ctx, l, some); err != nil {
		return err
	}
	for i, key := range some {
		if now, _ := p.Log.Recorded(key); now.Sequence != before[i].Sequence {
			return p.visitKeys(ctx, l, rest)
		}
	}
	return fmt.Errorf("%w: it lacks %d resources, and those that were asked for are as they were", errIncomplete, len(keys))
}
