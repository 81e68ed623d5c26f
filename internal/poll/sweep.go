package poll

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// sweep asks for a whole list, and then for what is recorded and not on it.
func (p *project) sweep(ctx context.Context, l *list, class mkio.Class) error {
	p.mu.Lock()
	l.changed = false
	p.mu.Unlock()
	done := swept{local: time.Now(), horizon: p.Log.Horizon()}
	seen, at, err := p.sweepPages(ctx, l, class)
	if err != nil {
		return err
	}
	if done.at = at; at.IsZero() {
		done.at = done.local.UTC()
	}
	if err := p.confirmGone(ctx, l, seen, done.horizon); err != nil {
		return err
	}
	p.mu.Lock()
	p.sweptNow(l, done)
	p.mu.Unlock()
	for _, kind := range l.Kinds {
		p.metrics.swept(p.name, kind, time.Now())
	}
	if l.below() {
		return nil // others of its kind may be left
	}
	return p.first.finish(ctx, l.Kinds)
}

// finishBelow notes that the first sweep of what lies below parents is over, when all parents were swept for
// the first time and so was each list below one. The caller holds the lock.
func (p *project) finishBelow(ctx context.Context) {
	for _, child := range []lifecycle.Kind{lifecycle.LiveOutput, lifecycle.ScheduledOperation} {
		if !slices.Contains(p.Kinds, child) || p.finishing[child] || p.first.done(child) || !p.sweptBelow(child) {
			continue
		}
		p.finishing[child] = true
		p.errands.Go(func() {
			err := p.first.finish(ctx, []lifecycle.Kind{child})
			p.mu.Lock()
			defer p.mu.Unlock()
			p.finishing[child] = false
			if err != nil && ctx.Err() == nil {
				p.silent(err, time.Now(), p.pace.active)
			}
		})
	}
}

func (p *project) sweptBelow(child lifecycle.Kind) bool {
	for _, l := range p.lists {
		if slices.Contains(parentKinds(child), l.Kinds[0]) && l.swept.at.IsZero() {
			return false
		}
	}
	for _, l := range p.below {
		if l.Kinds[0] == child && l.swept.at.IsZero() {
			return false
		}
	}
	return true
}

// sweepPages shows every row of a list, and returns whom it saw and when it began on MK.IO's clock.
func (p *project) sweepPages(ctx context.Context, l *list, class mkio.Class) (seen map[string]bool, began time.Time, err error) {
	seen = map[string]bool{}
	pages, ok := p.Client.Pages(l.List, mkio.Filter{})
	if !ok {
		return nil, began, fmt.Errorf("no path leads to the list of %s", l)
	}
	unreadable := 0
	states := p.askStates(ctx)
	for pages.More() {
		a := asked{horizon: p.Log.Horizon(), via: lifecycle.Poll}
		page, err := pages.Next(ctx, class, l.List)
		if mkio.IsNotFound(err) && l.below() && began.IsZero() {
			break // the parent is gone, and so is what was below it
		}
		if err != nil {
			return nil, began, states.wait(err)
		}
		if began.IsZero() {
			began = page.Moment.From
			if err := p.first.begin(ctx, withChildren(l.Kinds), began); err != nil {
				return nil, began, states.wait(err)
			}
			p.mu.Lock()
			if l.base.IsZero() {
				l.base = began // changes can be asked for while the sweep goes on
			}
			p.mu.Unlock()
		}
		a.moment = page.Moment
		unreadable += page.Unreadable
		for _, row := range page.Rows {
			seen[p.Log.Token(row.Key)] = true
			if err := p.showRow(ctx, l, row, a, states, class); err != nil {
				return nil, began, states.wait(err)
			}
		}
	}
	if err := states.wait(nil); err != nil {
		return nil, began, err
	}
	if unreadable > 0 {
		return nil, began, fmt.Errorf("%d rows of the list cannot be read, so nothing is concluded from what is not on it", unreadable)
	}
	return seen, began, nil
}

// withChildren adds the kinds that lie below others: before there are parents there is nothing below them,
// and nothing to sweep.
func withChildren(kinds []lifecycle.Kind) []lifecycle.Kind {
	all := slices.Clone(kinds)
	for _, child := range []lifecycle.Kind{lifecycle.LiveOutput, lifecycle.ScheduledOperation} {
		if slices.ContainsFunc(parentKinds(child), func(k lifecycle.Kind) bool { return slices.Contains(kinds, k) }) {
			all = append(all, child)
		}
	}
	return all
}

// maxStates is how many states are asked for side by side, and heldRows how many rows may wait for theirs.
const (
	maxStates = 8
	heldRows  = 4096
)

// stateAsker asks for the states of rows that do not show them, while the list is walked on.
type stateAsker struct {
	group *errgroup.Group
	ctx   context.Context
	room  chan struct{}
	slots chan struct{}
}

func (p *project) askStates(ctx context.Context) *stateAsker {
	group, ctx := errgroup.WithContext(ctx)
	return &stateAsker{group, ctx, make(chan struct{}, heldRows), make(chan struct{}, maxStates)}
}

// wait waits for all, and returns the first error: the given one, or one of theirs.
func (s *stateAsker) wait(err error) error {
	if other := s.group.Wait(); err == nil || errors.Is(err, context.Canceled) && other != nil {
		return other
	}
	return err
}

// showRow shows a row, or has its state asked for where it must be.
func (p *project) showRow(ctx context.Context, l *list, row mkio.Row, a asked, states *stateAsker, class mkio.Class) error {
	if row.Shows && p.isBack(row) {
		p.ask(row.Key, lifecycle.Poll)
		return nil
	}
	if row.Shows {
		return p.show(ctx, l, row, row.Observation(), a)
	}
	if !l.Stateless() {
		return fmt.Errorf("the record of %s shows no state", row.Key)
	}
	if !p.needsState(row) {
		return nil
	}
	select {
	case states.room <- struct{}{}:
	case <-states.ctx.Done():
		return states.ctx.Err()
	}
	states.group.Go(func() error {
		defer func() { <-states.room }()
		states.slots <- struct{}{}
		defer func() { <-states.slots }()
		a := asked{horizon: p.Log.Horizon(), via: lifecycle.Poll}
		state, moment, err := p.Client.State(states.ctx, class, row.Key)
		if mkio.IsNotFound(err) {
			return nil // it went meanwhile: the next sweep finds out
		}
		if err != nil {
			return err
		}
		o := row.Observation()
		o.State, a.moment = state, moment
		return p.show(states.ctx, l, row, o, a)
	})
	return nil
}

// isBack says whether a row shows what is recorded as Deleted, and not another life of it. A list may lag behind
// what was deleted, so that is believed of the resource's own address alone.
func (p *project) isBack(row mkio.Row) bool {
	fact, known := p.Log.Recorded(row.Key)
	sameLife := fact.Life == "" || row.Life == "" || fact.Life == row.Life
	return known && sameLife && lifecycle.SameState(fact.State, lifecycle.StateDeleted)
}

// needsState says whether the state of a row that does not show it must be asked for: it is new, or another
// life, or deleted as far as is known. What is in motion is looked at anyway, and what is at rest stays so.
func (p *project) needsState(row mkio.Row) bool {
	fact, known := p.Log.Recorded(row.Key)
	return !known || fact.Life != row.Life && fact.Life != "" && row.Life != "" || lifecycle.SameState(fact.State, lifecycle.StateDeleted)
}

// visitAll visits resources in motion side by side.
func (p *project) visitAll(ctx context.Context, l *list, keys []lifecycle.Key) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxStates)
	for _, key := range keys {
		group.Go(func() error { return p.visit(ctx, l, key, lifecycle.Poll) })
	}
	return group.Wait()
}

// maxContradictions is how many resources a list may lack that exist. Rows shift while a list is walked; a
// list that lacks more is broken, and to visit all that it lacks would eat up the budget.
const maxContradictions = 20

// confirmGone visits what was recorded before a sweep and is not on the list. What is not there either is
// Deleted, if then the project itself still answers.
func (p *project) confirmGone(ctx context.Context, l *list, seen map[string]bool, horizon uint64) error {
	missing, err := p.missing(ctx, l, seen, horizon)
	if err != nil || len(missing) == 0 {
		return err
	}
	gone := map[lifecycle.Key]lifecycle.Fact{}
	contradictions := 0
	for key, fact := range missing {
		a := asked{horizon: p.Log.Horizon(), via: lifecycle.Poll}
		sight, err := p.Client.Get(ctx, mkio.Changes, key)
		switch {
		case mkio.IsNotFound(err):
			gone[key] = fact
			continue
		case err != nil:
			return err
		}
		if contradictions++; contradictions > maxContradictions {
			p.metrics.failed(p.name, l.String(), errIncomplete)
			return fmt.Errorf("%w: it lacks %s and %d others at the least that MK.IO shows by their own addresses", errIncomplete, key, contradictions-1)
		}
		if a.moment = sight.Moment; sight.Shows {
			if err := p.show(ctx, l, sight.Row, sight.Observation(), a); err != nil {
				return err
			}
		}
	}
	if len(gone) == 0 {
		return nil
	}
	moment, err := p.answers(ctx, l)
	if err != nil {
		return fmt.Errorf("%d resources of it answer 404, and so does not their project: %w", len(gone), err)
	}
	for key, fact := range gone {
		if err := p.showGone(ctx, l, key, fact, moment); err != nil {
			return err
		}
	}
	return nil
}

var errIncomplete = errors.New("the list is not believed")

// missing returns what a list that was walked to its end should have shown and did not.
func (p *project) missing(ctx context.Context, l *list, seen map[string]bool, horizon uint64) (map[lifecycle.Key]lifecycle.Fact, error) {
	found := map[lifecycle.Key]lifecycle.Fact{}
	for _, kind := range l.Kinds {
		for resource, fact := range p.Log.Resources(kind, p.name) {
			if seen[resource] || fact.Sequence > horizon || lifecycle.SameState(fact.State, lifecycle.StateDeleted) {
				continue
			}
			key, err := p.Log.KeyOf(ctx, resource)
			if err != nil {
				return nil, logError{err}
			}
			if parent, ok := mkio.ParentOf(key); !ok || parent == l.Parent {
				found[key] = fact
			}
		}
	}
	return found, nil
}

// answers says whether the project itself is there, and when.
func (p *project) answers(ctx context.Context, l *list) (mkio.Moment, error) {
	if _, err := p.Client.Project(ctx, mkio.Changes, p.name); err != nil && mkio.StatusOf(err) != 403 {
		return mkio.Moment{}, err
	}
	// Where the token may not see the project, one of its lists speaks for it; and a broken gateway
	// may know the project and nothing in it.
	whole := p.lists[0].List
	if !l.below() {
		whole = l.List
	}
	pages, ok := p.Client.Pages(whole, mkio.Filter{})
	if !ok {
		return mkio.Moment{}, errors.New("no path leads to it")
	}
	page, err := pages.Next(ctx, mkio.Changes, whole)
	return page.Moment, err
}

// showGone records the end of a resource.
func (p *project) showGone(ctx context.Context, l *list, key lifecycle.Key, fact lifecycle.Fact, at mkio.Moment) error {
	path, inside, _ := mkio.Path(key)
	o := lifecycle.Observation{Key: key, State: lifecycle.StateDeleted, Life: fact.Life, Source: path, Subject: inside}
	return p.show(ctx, l, mkio.Row{Key: key}, o, asked{horizon: fact.Sequence, moment: at, via: lifecycle.Poll})
}
