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

// A coverage stores which periods are verified for each kind: a record when every resource was compared with MK.IO, and a gap
// when a sweep failed or is overdue. A record that cannot be stored is tried again with the next one.
//
// sem guards byKind, and is held while records are stored.
type coverage struct {
	*scope
	records   CoverageRecords
	lists     *lists
	deletions *waitingDeletions

	sem    chan struct{} // a lock that holds a token while it is taken; storing a record may take as long as NATS does
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

// A kindCoverage is the stored coverage of one kind.
type kindCoverage struct {
	covered time.Time       // when the last stored comparison began; zero: there is none
	due     time.Time       // when the next comparison must be over
	gap     *event.Coverage // the open gap; nil: there is none
	stored  bool            // the open gap is stored
	epoch   uint64          // of the log that was compared
}

// overdueAfter is the longest time between two sweeps of a kind: the full interval, and half of it for a sweep that is slow.
func (iv intervals) overdueAfter() time.Duration { return iv.full + iv.full/2 }

// load reads the last record of each kind, and opens a gap where it is overdue. An error does not stop polling: a record says
// when the next one is due, so that a reader sees the gap without a record of it.
func (c *coverage) load(ctx context.Context) {
	now := time.Now()
	for _, kind := range c.kinds {
		k := &kindCoverage{due: now.Add(c.intervals.overdueAfter()), epoch: c.eventLog.Epoch()}
		last, ok, err := c.records.LastCoverage(ctx, c.name, kind)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			c.log.Warn("coverage record cannot be read", "kind", kind, "error", err)
		case !ok:
		case last.Record == event.GapOpened:
			k.gap, k.stored = &last, true
		default:
			k.covered = last.From
			if last.Due != nil {
				k.due = *last.Due
			}
		}
		c.lock()
		c.byKind[kind] = k
		c.unlock()
		c.metrics.setGap(c.name, kind, k.gap != nil)
		if k.due.Before(now) {
			c.openGap(ctx, kind, "nobody polled")
		}
		if last.Horizon > c.eventLog.Horizon() {
			c.openGap(ctx, kind, reasonNewLog)
		}
		if left := unpolledParents(kind, c.kinds); len(left) > 0 {
			err := &UnpolledParentsError{Kind: kind, Parents: left}
			c.log.Warn("coverage of a kind cannot be verified", "kind", kind, "error", err, "do", c.advice(err))
			c.openGap(ctx, kind, err.Error())
		}
	}
}

// sweepEnded stores what a full sweep of a list verified. A sweep that failed opens a gap.
func (c *coverage) sweepEnded(ctx context.Context, l *list, t *tally, err error) {
	if err == nil {
		err = t.failure
	}
	if ctx.Err() != nil {
		return // a sweep that was canceled proves nothing: the next holder of the lease sweeps again
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

// recordChildren stores that a child kind is covered, if each of its lists and of its parents' lists was swept since the last
// record.
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

// sumChildLists adds up the last sweeps of all lists of a child kind and of its parents. ok is false if one of them is missing or
// began before since.
func (c *coverage) sumChildLists(child lifecycle.Kind, since time.Time) (all comparison, sum counts, ok bool) {
	c.lists.updateChildLists()
	for l := range c.lists.each() {
		if l.Kinds[0] != child && !l.containsParentsOf(child) {
			continue
		}
		ok = true
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
	return all, sum, ok
}

// reasonNewLog is the reason of a gap: the log that was compared does not exist any more, or not all of it.
const reasonNewLog = "event log replaced or truncated"

// recordsPerFull is how many records a kind gets between two full sweeps (Full) while nothing differs. A short list is swept every
// Sweep, and a record of each of these sweeps would outgrow the event log.
const recordsPerFull = 4

// recordCovered stores that all of a kind was compared, which closes an open gap. The order of the records is: the gap's opening,
// if it is not stored yet, its closing, the coverage.
func (c *coverage) recordCovered(ctx context.Context, kind lifecycle.Kind, at comparison, n counts) {
	c.lock()
	defer c.unlock()
	k := c.byKind[kind]
	if at.epoch != k.epoch {
		c.startGap(k, kind, reasonNewLog)
	}
	if k.gap == nil && n.differed == 0 && at.from.Sub(k.covered) < c.intervals.full/recordsPerFull {
		return // it would repeat the last record
	}
	due := at.to.Add(c.intervals.overdueAfter())
	record := event.Coverage{
		Record: event.Covered, Project: c.name, Kind: kind, From: at.from, To: &at.to, Due: &due, Horizon: at.horizon,
		Resources: n.resources, Rested: n.rested, Differed: n.differed, Repaired: n.repaired, RecordedTime: time.Now().UTC(),
	}
	err := c.storeGap(ctx, k)
	if err == nil && k.gap != nil {
		closed := *k.gap
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
	if k.gap != nil {
		c.log.Info("coverage gap closed", "kind", kind, "gap", at.from.Sub(k.gap.From).Round(time.Second))
	}
	*k = kindCoverage{covered: at.from, due: due, epoch: at.epoch}
	c.metrics.setGap(c.name, kind, false)
}

// openGap opens a gap and stores it: the kind is not verified until its next sweep.
func (c *coverage) openGap(ctx context.Context, kind lifecycle.Kind, reason string) {
	c.lock()
	defer c.unlock()
	k := c.byKind[kind]
	c.startGap(k, kind, reason)
	if err := c.storeGap(ctx, k); err != nil {
		c.logStoreFailure(ctx, kind, err)
	}
}

// startGap opens a gap in memory, unless one is open. The caller holds the lock.
func (c *coverage) startGap(k *kindCoverage, kind lifecycle.Kind, reason string) {
	if k.gap != nil {
		return
	}
	now := time.Now().UTC()
	k.gap = &event.Coverage{Record: event.GapOpened, Project: c.name, Kind: kind, From: k.covered, Reason: reason, RecordedTime: now}
	if k.covered.IsZero() {
		k.gap.From = now
	}
	c.metrics.setGap(c.name, kind, true)
}

// storeGap stores an open gap, unless it is stored. The caller holds the lock.
func (c *coverage) storeGap(ctx context.Context, k *kindCoverage) error {
	if k.gap == nil || k.stored {
		return nil
	}
	err := c.records.StoreCoverage(ctx, *k.gap)
	k.stored = err == nil
	return err
}

// logStoreFailure logs that a record could not be stored.
func (c *coverage) logStoreFailure(ctx context.Context, kind lifecycle.Kind, err error) {
	if ctx.Err() == nil {
		c.log.Warn("coverage record cannot be stored", "kind", kind, "error", err)
	}
}

// findOverdue opens a gap for each kind whose next sweep should have been over by now.
func (c *coverage) findOverdue(ctx context.Context, now time.Time) {
	c.lock()
	var overdue []lifecycle.Kind
	for kind, k := range c.byKind {
		if k.gap == nil && now.After(k.due) {
			overdue = append(overdue, kind)
		}
	}
	c.unlock()
	for _, kind := range overdue {
		c.openGap(ctx, kind, "a sweep is overdue")
	}
}

// watchOverdue calls findOverdue every Sweep until the context ends.
func (c *coverage) watchOverdue(ctx context.Context) {
	for pause.For(ctx, c.intervals.sweep) == nil {
		c.findOverdue(ctx, time.Now())
	}
}
