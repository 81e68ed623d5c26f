package poll

import (
	"context"
	"fmt"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// sweep asks for a whole list, and then for what is recorded and not on it, and notes what that proves.
func (p *project) sweep(ctx context.Context, l *list, class mkio.Class) error {
	t := newTally(p.Log)
	err := p.compare(ctx, l, class, t)
	p.prove(ctx, l, t, err)
	return err
}

func (p *project) compare(ctx context.Context, l *list, class mkio.Class, t *tally) error {
	p.mu.Lock()
	l.changed = false
	if l.tried == nil {
		l.tried = &t.horizon
	}
	p.mu.Unlock()
	done := swept{local: time.Now(), horizon: t.horizon}
	seen, at, err := p.sweepPages(ctx, l, class, t)
	if err != nil {
		return err
	}
	done.at = at
	if err := p.confirmGone(ctx, l, seen, done.horizon, t); err != nil {
		return err
	}
	if p.Log.Epoch() != t.epoch {
		return errAnotherLog
	}
	t.from, t.to = done.local.UTC(), time.Now().UTC()
	p.mu.Lock()
	p.sweptNow(l, done)
	p.sweepWhenDue(l)
	p.mu.Unlock()
	if l.below() {
		return nil // others of its kind may be left
	}
	for _, kind := range l.Kinds {
		p.metrics.swept(p.name, kind, time.Now())
	}
	return p.first.finish(ctx, l.Kinds)
}

// triedSince is what was recorded when the sweep that goes on was first tried, and a given horizon where that is not known.
func (p *project) triedSince(l *list, horizon uint64) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.tried == nil {
		return horizon
	}
	return *l.tried
}

// finishBelow notes that the first sweep of what lies below parents is over, when all parents were swept for
// the first time and so was each list below one. The caller holds the lock.
func (p *project) finishBelow(ctx context.Context) {
	for _, child := range childKinds(p.Kinds) {
		if p.finishing[child] || p.first.done(child) || !p.sweptBelow(child) {
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
		if l.hasParentsOf(child) && l.swept.at.IsZero() {
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
func (p *project) sweepPages(ctx context.Context, l *list, class mkio.Class, t *tally) (seen map[string]bool, began time.Time, err error) {
	seen = p.roomForSeen(l)
	unreadable, stored := 0, false
	pages, ok := p.Client.Pages(l.List, mkio.Filter{})
	if !ok {
		return nil, began, fmt.Errorf("no path leads to the list of %s", l)
	}
	shower := p.newShower(ctx, l, class)
	shower.tally = t
	for first := true; pages.More(); first = false {
		a := asked{horizon: p.Log.Horizon(), via: lifecycle.Poll, tally: t, identified: new(bool)}
		page, err := pages.Next(ctx, class, l.List)
		if mkio.IsNotFound(err) && l.below() && first {
			began = mkio.MomentOf(err).From
			err = p.parentGone(ctx, l, err)
			if err == nil {
				break // and so is what was below it
			}
		}
		if err != nil {
			return nil, began, shower.wait(err)
		}
		stored = stored || page.Moment.Stored
		if first && !stored {
			// Before there are parents there is nothing below them, and nothing to sweep.
			began = page.Moment.From
			if err := p.first.begin(ctx, append(mkio.ChildKinds(l.Kinds), l.Kinds...), began); err != nil {
				return nil, began, shower.wait(err)
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
			e := p.entryOf(row.Key)
			seen[e.resource] = true
			t.resources(row.Key.Kind, 1)
			if err := shower.show(row, e, a); err != nil {
				return nil, began, shower.wait(err)
			}
		}
	}
	if err := shower.wait(nil); err != nil {
		return nil, began, err
	}
	p.tellTroubles(l, sweeping, &shower.troubles)
	t.fail(shower.troubles.err())
	if stored {
		return nil, began, fmt.Errorf("a page of the list shows what was, so nothing is concluded from what is not on it: %w", ErrStored)
	}
	if unreadable > 0 {
		return nil, began, fmt.Errorf("%d rows of the list cannot be read, so nothing is concluded from what is not on it", unreadable)
	}
	return seen, began, nil
}

// roomForSeen has room for all that is known of a list; what is known of the lists below all parents is more than one of
// them has.
func (p *project) roomForSeen(l *list) map[string]bool {
	if l.below() {
		return map[string]bool{}
	}
	return make(map[string]bool, p.count(l))
}

// parentGone says that what a list below a parent answered with 404 is empty, if the parent is gone as well; else it
// returns the error.
func (p *project) parentGone(ctx context.Context, l *list, err error) error {
	_, parentErr := p.Client.Get(ctx, mkio.Changes, l.Parent)
	switch {
	case mkio.MomentOf(err).Stored, mkio.MomentOf(parentErr).Stored:
		return fmt.Errorf("%w: %w", err, ErrStored)
	case mkio.IsNotFound(parentErr):
		return nil
	case parentErr != nil:
		return parentErr
	}
	return fmt.Errorf("%s is there, and the list below it is not: %w", l.Parent, err)
}
