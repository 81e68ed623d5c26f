package poll

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// A coverage writes down what sweeps of a project prove of each kind: that every resource was compared with MK.IO, or
// since when that failed or is overdue. What could not be written down is tried again with the next record.
type coverage struct {
	turn  chan struct{} // holds a token while somebody reads or writes, which may take as long as NATS does
	kinds map[lifecycle.Kind]*standing
}

func newCoverage() coverage {
	return coverage{turn: make(chan struct{}, 1), kinds: map[lifecycle.Kind]*standing{}}
}

func (c *coverage) lock()   { c.turn <- struct{}{} }
func (c *coverage) unlock() { <-c.turn }

// A standing is what is on record of a kind.
type standing struct {
	covered time.Time       // when the last comparison on record began; zero: there is none
	due     time.Time       // when the next is to be over
	gap     *event.Coverage // that is open; nil: none is
	noted   bool            // the gap is on record
	epoch   uint64          // of the log that was compared
}

// overdueAfter is how long after a sweep of a kind the next must be over: a whole round, and half of one for what makes
// it slow.
func (p pace) overdueAfter() time.Duration { return p.full + p.full/2 }

// loadCoverage reads what is on record. Where nobody has swept for long, a gap is open. What cannot be read holds up nothing:
// records say when the next was due, so that who reads them sees the gap all the same.
func (p *project) loadCoverage(ctx context.Context) {
	now := time.Now()
	for _, kind := range p.Kinds {
		s := &standing{due: now.Add(p.pace.overdueAfter()), epoch: p.Log.Epoch()}
		last, ok, err := p.Log.Proven(ctx, p.name, kind)
		switch {
		case err != nil:
			p.log.Warn("what was compared before cannot be read", "kind", kind, "error", err)
		case !ok:
		case last.Record == event.GapOpened:
			s.gap, s.noted = &last, true
		default:
			s.covered = last.From
			if last.Due != nil {
				s.due = *last.Due
			}
		}
		p.coverage.lock()
		p.coverage.kinds[kind] = s
		p.coverage.unlock()
		p.metrics.gap(p.name, kind, s.gap != nil)
		if s.due.Before(now) {
			p.openGap(ctx, kind, "nobody polled")
		}
		if last.Horizon > p.Log.Horizon() {
			p.openGap(ctx, kind, anotherLog)
		}
		if left := p.unpolledParents(kind); len(left) > 0 {
			err := &UnpolledParentsError{Kind: kind, Parents: left}
			p.log.Warn("nothing is proven of a kind", "kind", kind, "error", err, "do", p.advice(err))
			p.openGap(ctx, kind, err.Error())
		}
	}
}

// prove notes what a sweep of a list proves, or that it failed.
func (p *project) prove(ctx context.Context, l *list, t *tally, err error) {
	if err == nil {
		err = t.failed
	}
	if ctx.Err() != nil {
		return // somebody else goes on
	}
	if err != nil {
		for _, kind := range l.Kinds {
			p.openGap(ctx, kind, err.Error())
		}
		return
	}
	p.mu.Lock()
	l.proof = t
	p.mu.Unlock()
	for _, kind := range l.Kinds {
		if n := p.patience.waitingOf(kind); n > 0 {
			p.openGap(ctx, kind, fmt.Sprintf("%d deletions wait to be confirmed again", n))
		} else if !l.below() {
			p.proveKind(ctx, kind, t.span, t.counts[kind])
		}
	}
	for _, child := range childKinds(p.Kinds) {
		if slices.Contains(l.Kinds, child) || l.hasParentsOf(child) {
			p.proveBelow(ctx, child)
		}
	}
}

// hasParentsOf says whether resources of a kind lie below those of the list.
func (l *list) hasParentsOf(child lifecycle.Kind) bool {
	return slices.Contains(mkio.ChildKinds(l.Kinds), child)
}

// unpolledParents are the kinds that a kind lies below and that are not polled: what is new below new ones of those is
// found by chance alone.
func (p *project) unpolledParents(child lifecycle.Kind) []lifecycle.Kind {
	var left []lifecycle.Kind
	for _, kind := range mkio.ParentKinds(child) {
		if !slices.Contains(p.Kinds, kind) {
			left = append(left, kind)
		}
	}
	return left
}

// proveBelow notes that all of a kind was compared that lies below others: each list of it, and each list of what it
// lies below, since the last record.
func (p *project) proveBelow(ctx context.Context, child lifecycle.Kind) {
	if len(p.unpolledParents(child)) > 0 || p.patience.waitingOf(child) > 0 {
		return
	}
	p.coverage.lock()
	since := p.coverage.kinds[child].covered
	p.coverage.unlock()
	if all, sum, ok := p.sumBelow(child, since); ok {
		p.metrics.swept(p.name, child, all.from)
		p.proveKind(ctx, child, all, sum)
	}
}

// sumBelow adds up the last sweeps of all lists of a kind that lies below others; false when one of them began before
// a time.
func (p *project) sumBelow(child lifecycle.Kind, since time.Time) (all span, sum counts, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.findParents()
	lists := slices.Collect(maps.Values(p.below))
	lists = slices.DeleteFunc(append(lists, p.lists...), func(l *list) bool { return l.Kinds[0] != child && !l.hasParentsOf(child) })
	for _, l := range lists {
		t := l.proof
		if t == nil || !t.from.After(since) {
			return all, sum, false
		}
		end := later(all.to, t.to)
		if all.from.IsZero() || t.from.Before(all.from) {
			all = t.span
		}
		all.to = end
		if l.below() {
			sum = sum.plus(t.counts[child])
		}
	}
	return all, sum, len(lists) > 0
}

// anotherLog is why nothing is proven of a log that was compared, and is no more.
const anotherLog = "the log became another one, or lost its end"

// recordsARound is how many records a kind leaves in the time of a full sweep while nothing differs. A short list is read
// as a whole every minute, and a record of each would be far more than the log itself.
const recordsARound = 4

// proveKind writes down that all of a kind was compared. A gap that was open ends with it.
func (p *project) proveKind(ctx context.Context, kind lifecycle.Kind, at span, c counts) {
	p.coverage.lock()
	defer p.coverage.unlock()
	s := p.coverage.kinds[kind]
	if at.epoch != s.epoch {
		p.open(s, kind, anotherLog)
	}
	if s.gap == nil && c.differed == 0 && at.from.Sub(s.covered) < p.pace.full/recordsARound {
		return // it would say what the last one says
	}
	due := at.to.Add(p.pace.overdueAfter())
	record := event.Coverage{
		Record: event.Covered, Project: p.name, Kind: kind, From: at.from, To: &at.to, Due: &due, Horizon: at.horizon,
		Resources: c.resources, Rested: c.rested, Differed: c.differed, Repaired: c.repaired, RecordedTime: time.Now().UTC(),
	}
	err := p.noteGap(ctx, s)
	if err == nil && s.gap != nil {
		closed := *s.gap
		closed.Record, closed.To, closed.RecordedTime = event.GapClosed, &at.from, record.RecordedTime
		err = p.Log.Prove(ctx, closed)
	}
	if err == nil {
		err = p.Log.Prove(ctx, record)
	}
	if err != nil {
		p.unproven(ctx, kind, err)
		return
	}
	if s.gap != nil {
		p.log.Info("all of a kind was compared with MK.IO again", "kind", kind, "gap", at.from.Sub(s.gap.From).Round(time.Second))
	}
	*s = standing{covered: at.from, due: due, epoch: at.epoch}
	p.metrics.gap(p.name, kind, false)
}

// openGap writes down that nothing is proven of a kind until the next sweep.
func (p *project) openGap(ctx context.Context, kind lifecycle.Kind, reason string) {
	p.coverage.lock()
	defer p.coverage.unlock()
	s := p.coverage.kinds[kind]
	p.open(s, kind, reason)
	if err := p.noteGap(ctx, s); err != nil {
		p.unproven(ctx, kind, err)
	}
}

// open opens a gap, unless one is open. The caller has the turn.
func (p *project) open(s *standing, kind lifecycle.Kind, reason string) {
	if s.gap != nil {
		return
	}
	now := time.Now().UTC()
	s.gap = &event.Coverage{Record: event.GapOpened, Project: p.name, Kind: kind, From: s.covered, Reason: reason, RecordedTime: now}
	if s.covered.IsZero() {
		s.gap.From = now
	}
	p.metrics.gap(p.name, kind, true)
}

// noteGap writes down a gap that is not on record yet. The caller has the turn.
func (p *project) noteGap(ctx context.Context, s *standing) error {
	if s.gap == nil || s.noted {
		return nil
	}
	err := p.Log.Prove(ctx, *s.gap)
	s.noted = err == nil
	return err
}

// unproven tells that a record could not be written.
func (p *project) unproven(ctx context.Context, kind lifecycle.Kind, err error) {
	if ctx.Err() == nil {
		p.log.Warn("what was compared with MK.IO could not be put on record, so it proves nothing later", "kind", kind, "error", err)
	}
}

// findOverdue opens a gap where a sweep should have been over by now.
func (p *project) findOverdue(ctx context.Context, now time.Time) {
	p.coverage.lock()
	var overdue []lifecycle.Kind
	for kind, s := range p.coverage.kinds {
		if s.gap == nil && now.After(s.due) {
			overdue = append(overdue, kind)
		}
	}
	p.coverage.unlock()
	for _, kind := range overdue {
		p.openGap(ctx, kind, "a sweep is overdue")
	}
}

// watchCoverage looks for what is overdue, until the context ends.
func (p *project) watchCoverage(ctx context.Context) {
	for pause(ctx, p.pace.sweep) == nil {
		p.findOverdue(ctx, time.Now())
	}
}
