package poll

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// fullSweeps compare whole lists with the log, and confirm the deletions of recorded resources that a list lacks. They have no
// state: see progress, firstSweeps, waitingDeletions and coverage.
type fullSweeps struct {
	*scope
	lists     *lists
	reporter  *reporter
	identity  *identityCheck
	deletions *waitingDeletions
	first     *firstSweeps
	coverage  *coverage
}

// sweep compares a whole list with the log, confirms all deletions, and reports the result to coverage.
func (s *fullSweeps) sweep(ctx context.Context, l *list, class mkio.Class) error {
	t := newTally(s.eventLog)
	err := s.compare(ctx, l, class, t, s.confirmDeletions)
	s.coverage.sweepEnded(ctx, l, t, err)
	return err
}

// sweepForMotions is sweep for an active poll, which must not wait until deletions are confirmed: it leaves them to a full sweep
// that it brings forward.
func (s *fullSweeps) sweepForMotions(ctx context.Context, l *list) error {
	t := newTally(s.eventLog)
	err := s.compare(ctx, l, mkio.Urgent, t, s.confirmNone)
	if errors.Is(err, errUnconfirmed) {
		s.bringSweepForward(l)
		return nil
	}
	s.coverage.sweepEnded(ctx, l, t, err)
	return err
}

// compare reports every row of a list, and then has the resources confirmed that it lacks.
func (s *fullSweeps) compare(ctx context.Context, l *list, class mkio.Class, t *tally, confirm confirmMissing) error {
	l.progress.begin(t.horizon)
	done := completedSweep{localBegan: time.Now(), horizon: t.horizon}
	walk := s.newWalk(ctx, l, class, t)
	if err := walk.run(ctx); err != nil {
		return err
	}
	done.began = walk.began
	if err := confirm(ctx, l, walk.seen, done.horizon, t); err != nil {
		return err
	}
	if s.eventLog.Epoch() != t.epoch {
		return errNewLog
	}
	t.from, t.to = done.localBegan.UTC(), time.Now().UTC()
	l.sweepFinished(done, s.lists.intervalsOf(l))
	s.scheduleConfirmation(l)
	if l.hasParent() {
		return nil // the other lists of the kind may not be swept yet
	}
	for _, kind := range l.Kinds {
		s.metrics.swept(s.name, kind, time.Now())
	}
	return s.first.finish(ctx, l.Kinds)
}

// A sweepWalk reports every row of a list. It is used by the goroutine of its sweep only.
type sweepWalk struct {
	sweeps   *fullSweeps
	list     *list
	class    mkio.Class
	tally    *tally
	reporter *rowReporter

	seen       map[string]bool // the resource tokens of the rows
	began      time.Time       // on MK.IO's clock; zero: not known
	unreadable int             // how many rows cannot be parsed
	stored     bool            // a page was a stored copy
}

func (s *fullSweeps) newWalk(ctx context.Context, l *list, class mkio.Class, t *tally) *sweepWalk {
	w := &sweepWalk{sweeps: s, list: l, class: class, tally: t, reporter: s.reporter.newRowReporter(ctx, l, class)}
	w.reporter.tally = t
	if l.hasParent() { // count is of the lists below all parents
		w.seen = map[string]bool{}
	} else {
		w.seen = make(map[string]bool, s.count(l))
	}
	return w
}

// run walks to the end of the list. After an error, a resource that was not seen may still be on the list.
func (w *sweepWalk) run(ctx context.Context) error {
	if err := w.reporter.wait(w.walkPages(ctx)); err != nil {
		return err
	}
	w.sweeps.logResourceErrors(w.list, modeFull, &w.reporter.errs)
	w.tally.noteFailure(w.reporter.errs.err())
	switch {
	case w.stored:
		return fmt.Errorf("absence from the list proves no deletion: %w", ErrStoredCopy)
	case w.unreadable > 0:
		return fmt.Errorf("absence from the list proves no deletion: %d rows cannot be read", w.unreadable)
	}
	return nil
}

// walkPages requests the pages one after the other.
func (w *sweepWalk) walkPages(ctx context.Context) error {
	s, l := w.sweeps, w.list
	pages, ok := s.client.Pages(l.List, mkio.Filter{})
	if !ok {
		return fmt.Errorf("no API path for the list of %s", l)
	}
	for first := true; pages.More(); first = false {
		req := s.newRequest(lifecycle.Poll, w.tally)
		req.identityChecked = new(bool)
		page, err := pages.Next(ctx, w.class, l.List)
		if mkio.IsNotFound(err) && l.hasParent() && first {
			w.began = mkio.AsOfError(err).From
			return s.confirmParentGone(ctx, l, err) // then the list is empty
		}
		if err != nil {
			return err
		}
		if w.stored = w.stored || page.AsOf.Stored; first && !w.stored {
			if err := w.noteBegin(ctx, page.AsOf.From); err != nil {
				return err
			}
		}
		req.asOf = page.AsOf
		if err := w.reportPage(page, req); err != nil {
			return err
		}
	}
	return nil
}

// noteBegin notes when the first page was requested. The first sweep of the child kinds begins too: as long as there are no
// parents, they have no lists.
func (w *sweepWalk) noteBegin(ctx context.Context, at time.Time) error {
	w.began = at
	if err := w.sweeps.first.begin(ctx, append(mkio.ChildKinds(w.list.Kinds), w.list.Kinds...), at); err != nil {
		return err
	}
	w.list.progress.startDeltas(at) // delta sweeps can run beside this sweep
	return nil
}

// reportPage reports the rows of a page.
func (w *sweepWalk) reportPage(page mkio.Page, req request) error {
	w.unreadable += page.Unreadable
	for _, row := range page.Rows {
		h := w.sweeps.headOf(row.Key)
		w.seen[h.resource] = true
		w.tally.addResources(row.Key.Kind, 1)
		if err := w.reporter.report(row, h, req); err != nil {
			return err
		}
	}
	return nil
}

// confirmParentGone returns nil if a child list that responded 404 is empty because its parent is gone; else err.
func (s *fullSweeps) confirmParentGone(ctx context.Context, l *list, err error) error {
	_, parentErr := s.client.Get(ctx, mkio.Changes, l.Parent)
	switch {
	case mkio.AsOfError(err).Stored, mkio.AsOfError(parentErr).Stored:
		return fmt.Errorf("%w: %w", err, ErrStoredCopy)
	case mkio.IsNotFound(parentErr):
		return nil
	case parentErr != nil:
		return parentErr
	}
	return fmt.Errorf("%s exists, but the list below it responds 404: %w", l.Parent, err)
}

// scheduleConfirmations calls scheduleConfirmation for the lists of resources.
func (s *fullSweeps) scheduleConfirmations(keys []lifecycle.Key) {
	for _, key := range keys {
		if l := s.lists.listOf(key); l != nil {
			s.scheduleConfirmation(l)
		}
	}
}

// scheduleConfirmation brings the next full sweep of a list forward to when the first of its waiting deletions may be
// confirmed. If that time has passed, the last sweep could not confirm it: the next attempt is in one Sweep.
func (s *fullSweeps) scheduleConfirmation(l *list) {
	at, ok := s.deletions.nextConfirmation(l)
	if !ok {
		return
	}
	if now := time.Now(); !at.After(now) {
		at = now.Add(s.intervals.sweep)
	}
	l.schedule.bringForward(modeFull, at)
	s.lists.checkNow(l)
}
