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

// An asked is the circumstances of a request: what was recorded before it, and when MK.IO took its answer.
type asked struct {
	horizon uint64
	moment  mkio.Moment
	via     lifecycle.Via
}

// logError is for a log that cannot take an observation now.
type logError struct{ error }

func (e logError) Unwrap() error { return e.error }

// maxTries bounds how often an answer that was overtaken is asked for again. The next sweep asks anyway.
const maxTries = 5

// show gives the log what an answer showed of a resource.
func (p *project) show(ctx context.Context, l *list, row mkio.Row, o lifecycle.Observation, a asked) error {
	fact, known := p.Log.Recorded(row.Key)
	if known && fact.Sequence > a.horizon {
		p.overtaken(row.Key)
		return nil
	}
	o.Via, o.Basis = a.via, &fact.Sequence // 0 where nothing is recorded
	o.SeenAfter, o.SeenBefore = p.seenBefore(l, row.Key, fact, a.moment), a.moment.To
	var recorded *lifecycle.Fact
	if known {
		recorded = &fact
	}
	verdict := lifecycle.Decide(recorded, o)
	if !verdict.News() {
		p.metrics.seen(o, verdict)
		p.shown(row.Key, fact, a.moment)
		return nil
	}
	if o.State != lifecycle.StateDeleted {
		o.Discovered = !known && p.first.before(row.Key.Kind, o.Created)
		if err := row.AddRecord(&o); err != nil {
			return fmt.Errorf("record of %s: %w", row.Key, err)
		}
	}
	verdict, err := p.Log.Observe(ctx, o)
	if err != nil {
		return logError{err}
	}
	p.metrics.seen(o, verdict)
	if verdict.Outcome == lifecycle.Late {
		p.overtaken(row.Key)
	}
	if verdict.News() {
		p.noteChange(l)
		p.log.Debug("a poll showed news", "resource", p.Log.Token(row.Key), "state", o.State, "via", o.Via)
	}
	return nil
}

// noteChange says that a list had news.
func (p *project) noteChange(l *list) {
	if l == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l.changed = true
}

// seenBefore is the last moment at which MK.IO still showed the recorded state; zero where it is not known.
func (p *project) seenBefore(l *list, key lifecycle.Key, fact lifecycle.Fact, now mkio.Moment) time.Time {
	if fact.Sequence == 0 {
		return time.Time{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	last := fact.SeenBefore
	if m := p.motions[p.Log.Token(key)]; m != nil && m.fact.Sequence == fact.Sequence && m.shown.After(last) {
		last = m.shown
	}
	if l != nil && fact.Sequence <= l.swept.horizon && l.swept.at.After(last) {
		last = l.swept.at
	}
	if last.After(now.From) {
		return time.Time{} // the clocks are too coarse to tell
	}
	return last
}

// shown notes that a resource in motion still is as it was.
func (p *project) shown(key lifecycle.Key, fact lifecycle.Fact, at mkio.Moment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.motions[p.Log.Token(key)]; m != nil && m.fact.Sequence == fact.Sequence {
		m.shown = at.From
	}
}

// overtaken asks again for a resource of which something was recorded while MK.IO was asked, or of
// which MK.IO showed an old record.
func (p *project) overtaken(key lifecycle.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.asks[key]
	if a == nil {
		a = &ask{via: lifecycle.Poll}
		p.asks[key] = a
	}
	if a.tries++; a.tries > maxTries {
		delete(p.asks, key)
		return
	}
	a.next = time.Now().Add(p.pace.active << (a.tries - 1))
}

// answer does what was asked for.
func (p *project) answer(ctx context.Context, key lifecycle.Key, a ask) {
	p.mu.Lock()
	l := p.listOf(key)
	p.mu.Unlock()
	err := p.visit(ctx, l, key, a.via, mkio.Urgent)
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.rouse()
	current := p.asks[key]
	if current == nil {
		return
	}
	current.busy = false
	switch {
	case err != nil && ctx.Err() == nil:
		p.metrics.failed(p.name, "resource", err)
		wait := retryAfter(current.tries + 1)
		if current.tries++; current.tries > maxTries {
			p.log.Warn("a resource cannot be asked for; the next sweep shows it", "resource", p.Log.Token(key), "error", err)
			delete(p.asks, key)
			return
		}
		current.next = now.Add(wait)
		p.silent(err, now, wait)
	case current.tries == a.tries: // it was not overtaken again
		delete(p.asks, key)
	}
}

// visit asks for one resource by its own address.
func (p *project) visit(ctx context.Context, l *list, key lifecycle.Key, via lifecycle.Via, class mkio.Class) error {
	a := asked{horizon: p.Log.Horizon(), via: via}
	var state string
	stateless := l != nil && l.Stateless()
	if stateless {
		var err error
		state, a.moment, err = p.Client.State(ctx, class, key)
		if err != nil {
			return p.absent(l, key, err)
		}
		fact, known := p.Log.Recorded(key)
		if known && fact.Sequence <= a.horizon && lifecycle.SameState(fact.State, state) {
			p.shown(key, fact, a.moment)
			return nil // its record would tell nothing
		}
	}
	sight, err := p.Client.Get(ctx, class, key)
	if err != nil {
		return p.absent(l, key, err)
	}
	o := sight.Observation()
	if stateless {
		o.State = state
	} else {
		a.moment = sight.Moment
		if !sight.Shows {
			return fmt.Errorf("the record of %s shows no state", key)
		}
	}
	return p.show(ctx, l, sight.Row, o, a)
}

// absent takes a 404 for the hint that it is: a sweep finds out.
func (p *project) absent(l *list, key lifecycle.Key, err error) error {
	if !mkio.IsNotFound(err) || l == nil {
		return err
	}
	if fact, known := p.Log.Recorded(key); !known || lifecycle.SameState(fact.State, lifecycle.StateDeleted) {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	at := time.Now()
	if again := l.swept.local.Add(p.pace.respite(p.count(l))); again.After(at) {
		at = again
	}
	l.soon(sweeping, at)
	return nil
}

// look asks for the resources of a list that are in motion.
func (p *project) look(ctx context.Context, l *list, moving []*motion) error {
	began := time.Now()
	p.mu.Lock()
	states := statesOf(moving)
	known := p.count(l)
	quick := 0 // how many are looked at every Active
	var due []*motion
	for _, m := range moving {
		if p.pace.quick(m, began) {
			quick++
		}
		if !began.Before(m.next) {
			due = append(due, m)
		}
	}
	p.mu.Unlock()
	way := cheapest(len(due), len(states), known, l.ByState() && len(states) > 0)
	if l.Stateless() {
		way = each
	}
	shown := moving
	var err error
	switch way {
	case each:
		shown = p.pace.first(due, began)
		err = p.visitMotions(ctx, l, shown, began)
	case byState:
		err = p.lookByState(ctx, l, moving, states)
	case whole:
		err = p.sweep(ctx, l, mkio.Urgent)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for _, m := range shown {
		wait := p.pace.interval(m.key.Kind, m.fact.State, now.Sub(m.since))
		if way == each && p.pace.quick(m, now) {
			wait = p.pace.share(wait, quick)
		}
		m.next = now.Add(wait)
	}
	return err
}

// visitMotions visits resources in motion, those that are patient when nothing else is to be asked.
func (p *project) visitMotions(ctx context.Context, l *list, motions []*motion, now time.Time) error {
	return p.visitAll(ctx, l, len(motions), func(i int) (lifecycle.Key, mkio.Class) {
		if p.pace.quick(motions[i], now) {
			return motions[i].key, mkio.Urgent
		}
		return motions[i].key, mkio.Sweeps
	})
}

// visitAll visits resources side by side. What is wrong with one does not keep it from the others.
func (p *project) visitAll(ctx context.Context, l *list, count int, nth func(int) (lifecycle.Key, mkio.Class)) error {
	var trouble troubles
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxStates)
	for i := range count {
		key, class := nth(i)
		group.Go(func() error { return trouble.note(p.visit(ctx, l, key, lifecycle.Poll, class)) })
	}
	err := group.Wait()
	p.tellTroubles(l, looking, &trouble)
	return err
}

// visitKeys visits resources that are to be found out about at once.
func (p *project) visitKeys(ctx context.Context, l *list, keys []lifecycle.Key) error {
	return p.visitAll(ctx, l, len(keys), func(i int) (lifecycle.Key, mkio.Class) { return keys[i], mkio.Urgent })
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

// askChanges asks for what changed since the last time, with an overlap.
func (p *project) askChanges(ctx context.Context, l *list, class mkio.Class, seen map[lifecycle.Key]bool) error {
	p.mu.Lock()
	base := l.base
	p.mu.Unlock()
	if seen == nil {
		seen = map[lifecycle.Key]bool{}
	}
	return p.walk(ctx, l, mkio.Filter{Since: base.Add(-max(p.pace.sweep, leastOverlap))}, class, seen)
}

// leastOverlap is what the clock of MK.IO's answers may be ahead of that of its records.
const leastOverlap = 5 * time.Minute

// walk shows all rows of a narrowed list, and notes whom it saw.
func (p *project) walk(ctx context.Context, l *list, f mkio.Filter, class mkio.Class, seen map[lifecycle.Key]bool) error {
	pages, ok := p.Client.Pages(l.List, f)
	if !ok {
		return fmt.Errorf("no path leads to the list of %s", l)
	}
	var base time.Time
	shower := p.newShower(ctx, l, class)
	for pages.More() {
		a := asked{horizon: p.Log.Horizon(), via: lifecycle.Poll}
		page, err := pages.Next(ctx, class, l.List)
		if mkio.IsNotFound(err) && base.IsZero() {
			break // MK.IO answers so where nothing matches
		}
		if err != nil {
			return shower.wait(err)
		}
		if base.IsZero() {
			base = page.Moment.From
		}
		if page.Unreadable > 0 {
			err = shower.troubles.note(fmt.Errorf("%d rows tell no resource", page.Unreadable))
		}
		a.moment = page.Moment
		for _, row := range page.Rows {
			seen[row.Key] = true
			if err == nil {
				err = shower.show(row, a)
			}
		}
		if err != nil {
			return shower.wait(err)
		}
	}
	if err := shower.wait(nil); err != nil {
		return err
	}
	if f.State != "" {
		p.tellTroubles(l, looking, &shower.troubles)
		return nil
	}
	if p.tellTroubles(l, changes, &shower.troubles) || base.IsZero() {
		return nil // they are asked for again, up to the next sweep
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l.base = base
	return nil
}
