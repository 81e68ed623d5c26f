package poll

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/pause"
)

// A coverage writes down what sweeps of a project prove of each kind: that every resource was compared with MK.IO, or
// since when that failed or is overdue. What could not be written down is tried again with the next record.
//
// turn guards standings, and is held while records are written.
type coverage struct {
	*scope
	records   CoverageRecords
	lists     *lists
	deletions *waitingDeletions

	sem    chan struct{} // holds a token while somebody reads or writes, which may take as long as NATS does
	byKind map[lifecycle.Kind]*kindCoverage
}

func newCoverage(s *scope, records CoverageRecords, lists *lists, deletions *waitingDeletions) *coverage {
	return &coverage{
		scope: s, records: records, lists: lists, deletions: deletions,
		sem: make(chan struct{}, 1), byKind: map[lifecycle.Kind]*kindCoverage{},
	}
}

func (c *coverage) lock()   { c.sem <- struct{}{} }
func (c *coverage) unlock() { <-c.sem }

// A standing is what is on record of a kind.
type kindCoverage struct {
	covered time.Time       // when the last comparison on record began; zero: there is none
	due     time.Time       // when the next is to be over
	gap     *event.Coverage // that is open; nil: none is
	stored  bool            // the gap is on record
	epoch   uint64          // of the log that was compared
}

// overdueAfter is how long after a sweep of a kind the next must be over: a whole round, and half of one for what makes
// it slow.
func (p intervals) overdueAfter() time.Duration { return p.full + p.full/2 }

// load reads what is on record. Where nobody has swept for long, a gap is open. What cannot be read holds up nothing:
// records say when the next was due, so that who reads them sees the gap all the same.
func (c *coverage) load(ctx context.Context) {
	now := time.Now()
	for _, kind := range c.kinds {
		s := &kindCoverage{due: now.Add(c.intervals.overdueAfter()), epoch: c.eventLog.Epoch()}
		last, ok, err := c.records.LastCoverage(ctx, c.name, kind)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			c.log.Warn("what was compared before cannot be read", "kind", kind, "error", err)
		case !ok:
		case last.Record == event.GapOpened:
			s.gap, s.stored = &last, true
		default:
			s.covered = last.From
			if last.Due != nil {
				s.due = *last.Due
			}
		}
		c.lock()
		c.byKind[kind] = s
		c.unlock()
		c.metrics.setGap(c.name, kind, s.gap != nil)
		if s.due.Before(now) {
			c.openGap(ctx, kind, "nobody polled")
		}
		if last.Horizon > c.eventLog.Horizon() {
			c.openGap(ctx, kind, reasonNewLog)
		}
		if left := unpolledParents(kind, c.kinds); len(left) > 0 {
			err := &UnpolledParentsError{Kind: kind, Parents: left}
			c.log.Warn("nothing is proven of a kind", "kind", kind, "error", err, "do", c.advice(err))
			c.openGap(ctx, kind, err.Error())
		}
	}
}

// prove notes what a sweep of a list proves, or that it failed.
func (c *coverage) sweepEnded(ctx context.Context, l *list, t *tally, err error) {
	if err == nil {
		err = t.failure
	}
	if ctx.Err() != nil {
		return // somebody else goes on
	}
	if err != nil {
		for _, kind := range l.Kinds {
			c.openGap(ctx, kind, err.Error())
		}
		return
	}
	l.progress.setTally(t)
	for _, kind := range l.Kinds {
		if n := c.deletions.countOf(kind); n > 0 {
			c.openGap(ctx, kind, fmt.Sprintf("%d deletions wait to be confirmed again", n))
		} else if !l.hasParent() {
			c.recordCovered(ctx, kind, t.comparison, t.counts[kind])
		}
	}
	for _, child := range childKinds(c.kinds) {
		if slices.Contains(l.Kinds, child) || l.containsParentsOf(child) {
			c.recordChildren(ctx, child)
		}
	}
}

// proveBelow notes that all of a kind was compared that lies below others: each list of it, and each list of what it
// lies below, since the last record.
func (c *coverage) recordChildren(ctx context.Context, child lifecycle.Kind) {
	if len(unpolledParents(child, c.kinds)) > 0 || c.deletions.countOf(child) > 0 {
		return
	}
	c.lock()
	since := c.byKind[child].covered
	c.unlock()
	if all, sum, ok := c.sumChildLists(child, since); ok {
		c.metrics.swept(c.name, child, all.from)
		c.recordCovered(ctx, child, all, sum)
	}
}

// sumBelow adds up the last sweeps of all lists of a kind that lies below others; false when one of them began before
// a time.
func (c *coverage) sumChildLists(child lifecycle.Kind, since time.Time) (all comparison, sum counts, ok bool) {
	c.lists.updateParents()
	lists := slices.DeleteFunc(c.lists.all(), func(l *list) bool { return l.Kinds[0] != child && !l.containsParentsOf(child) })
	for _, l := range lists {
		t := l.progress.lastTally()
		if t == nil || !t.from.After(since) {
			return all, sum, false
		}
		end := latest(all.to, t.to)
		if all.from.IsZero() || t.from.Before(all.from) {
			all = t.comparison
		}
		all.to = end
		if l.hasParent() {
			sum = sum.plus(t.counts[child])
		}
	}
	return all, sum, len(lists) > 0
}

// anotherLog is why nothing is proven of a log that was compared, and is no more.
const reasonNewLog = "the log became another one, or lost its end"

// recordsARound is how many records a kind leaves in the time between two full sweeps (Full) while nothing differs. A short
// list is read as a whole every Sweep, and a record of each reading would be far more than the log itself.
const recordsPerFull = 4

// proveKind writes down that all of a kind was compared. A gap that was open ends with it: the order of the records is the gap's
// opening if that is not on record yet, its closing, the coverage.
func (c *coverage) recordCovered(ctx context.Context, kind lifecycle.Kind, at comparison, n counts) {
	c.lock()
	defer c.unlock()
	s := c.byKind[kind]
	if at.epoch != s.epoch {
		c.startGap(s, kind, reasonNewLog)
	}
	if s.gap == nil && n.differed == 0 && at.from.Sub(s.covered) < c.intervals.full/recordsPerFull {
		return // it would say what the last one says
	}
	due := at.to.Add(c.intervals.overdueAfter())
	record := event.Coverage{
		Record: event.Covered, Project: c.name, Kind: kind, From: at.from, To: &at.to, Due: &due, Horizon: at.horizon,
		Resources: n.resources, Rested: n.rested, Differed: n.differed, Repaired: n.repaired, RecordedTime: time.Now().UTC(),
	}
	err := c.storeGap(ctx, s)
	if err == nil && s.gap != nil {
		closed := *s.gap
		closed.Record, closed.To, closed.RecordedTime = event.GapClosed, &at.from, record.RecordedTime
		err = c.records.StoreCoverage(ctx, closed)
	}
	if err == nil {
		err = c.records.StoreCoverage(ctx, record)
	}
	if err != nil {
		c.logStoreFailure(ctx, kind, err)
		return
	}
	if s.gap != nil {
		c.log.Info("all of a kind was compared with MK.IO again", "kind", kind, "gap", at.from.Sub(s.gap.From).Round(time.Second))
	}
	*s = kindCoverage{covered: at.from, due: due, epoch: at.epoch}
	c.metrics.setGap(c.name, kind, false)
}

// openGap writes down that nothing is proven of a kind until the next sweep.
func (c *coverage) openGap(ctx context.Context, kind lifecycle.Kind, reason string) {
	c.lock()
	defer c.unlock()
	s := c.byKind[kind]
	c.startGap(s, kind, reason)
	if err := c.storeGap(ctx, s); err != nil {
		c.logStoreFailure(ctx, kind, err)
	}
}

// open opens a gap, unless one is open. The caller has the turn.
func (c *coverage) startGap(s *kindCoverage, kind lifecycle.Kind, reason string) {
	if s.gap != nil {
		return
	}
	now := time.Now().UTC()
	s.gap = &event.Coverage{Record: event.GapOpened, Project: c.name, Kind: kind, From: s.covered, Reason: reason, RecordedTime: now}
	if s.covered.IsZero() {
		s.gap.From = now
	}
	c.metrics.setGap(c.name, kind, true)
}

// noteGap writes down a gap that is not on record yet. The caller has the turn.
func (c *coverage) storeGap(ctx context.Context, s *kindCoverage) error {
	if s.gap == nil || s.stored {
		return nil
	}
	err := c.records.StoreCoverage(ctx, *s.gap)
	s.stored = err == nil
	return err
}

// unproven tells that a record could not be written.
func (c *coverage) logStoreFailure(ctx context.Context, kind lifecycle.Kind, err error) {
	if ctx.Err() == nil {
		c.log.Warn("what was compared with MK.IO could not be put on record, so it proves nothing later", "kind", kind, "error", err)
	}
}

// findOverdue opens a gap where a sweep should have been over by now.
func (c *coverage) findOverdue(ctx context.Context, now time.Time) {
	c.lock()
	var overdue []lifecycle.Kind
	for kind, s := range c.byKind {
		if s.gap == nil && now.After(s.due) {
			overdue = append(overdue, kind)
		}
	}
	c.unlock()
	for _, kind := range overdue {
		c.openGap(ctx, kind, "a sweep is overdue")
	}
}

// watch looks for what is overdue, until the context ends.
func (c *coverage) watchOverdue(ctx context.Context) {
	for pause.For(ctx, c.intervals.sweep) == nil {
		c.findOverdue(ctx, time.Now())
	}
}
