package poll

import (
	"context"
	"fmt"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// fullSweeps ask for whole lists, and then for what is recorded and not on them. They have no state of their own: how far
// each list is lies in its progress, the first sweeps in firstSweeps, deletions that wait in patience, what is proven in
// coverage.
type fullSweeps struct {
	*scope
	lists     *lists
	reporter  *reporter
	identity  *identityCheck
	deletions *waitingDeletions
	first     *firstSweeps
	coverage  *coverage
}

// sweep compares a whole list with the log, and notes what that proves.
func (s *fullSweeps) sweep(ctx context.Context, l *list, class mkio.Class) error {
	t := newTally(s.eventLog)
	err := s.compare(ctx, l, class, t)
	s.coverage.sweepEnded(ctx, l, t, err)
	return err
}

func (s *fullSweeps) compare(ctx context.Context, l *list, class mkio.Class, t *tally) error {
	l.progress.begin(t.horizon)
	done := completedSweep{localBegan: time.Now(), horizon: t.horizon}
	walk := s.newWalk(ctx, l, class, t)
	if err := walk.run(ctx); err != nil {
		return err
	}
	done.began = walk.began
	if err := s.confirmDeletions(ctx, l, walk.seen, done.horizon, t); err != nil {
		return err
	}
	if s.eventLog.Epoch() != t.epoch {
		return errNewLog
	}
	t.from, t.to = done.localBegan.UTC(), time.Now().UTC()
	l.sweepFinished(done, s.intervals)
	s.scheduleConfirmation(l)
	if l.hasParent() {
		return nil // others of its kind may be left
	}
	for _, kind := range l.Kinds {
		s.metrics.swept(s.name, kind, time.Now())
	}
	return s.first.finish(ctx, l.Kinds)
}

// A sweepWalk shows every row of a list. It belongs to the goroutine of its sweep.
type sweepWalk struct {
	sweeps   *fullSweeps
	list     *list
	class    mkio.Class
	tally    *tally
	reporter *rowReporter

	seen       map[string]bool // the tokens of the rows
	began      time.Time       // on MK.IO's clock; zero where nothing tells it
	unreadable int             // rows
	stored     bool            // a page was a stored copy
}

func (s *fullSweeps) newWalk(ctx context.Context, l *list, class mkio.Class, t *tally) *sweepWalk {
	w := &sweepWalk{sweeps: s, list: l, class: class, tally: t, reporter: s.reporter.newRowReporter(ctx, l, class)}
	w.reporter.tally = t
	if l.hasParent() { // what is known of the lists below all parents is more than one of them has
		w.seen = map[string]bool{}
	} else {
		w.seen = make(map[string]bool, s.count(l))
	}
	return w
}

// run walks to the end of the list. An error says that nothing is to be concluded from what was not seen.
func (w *sweepWalk) run(ctx context.Context) error {
	if err := w.reporter.wait(w.walkPages(ctx)); err != nil {
		return err
	}
	w.sweeps.logResourceErrors(w.list, modeFull, &w.reporter.errs)
	w.tally.noteFailure(w.reporter.errs.err())
	switch {
	case w.stored:
		return fmt.Errorf("a page of the list shows what was, so nothing is concluded from what is not on it: %w", ErrStored)
	case w.unreadable > 0:
		return fmt.Errorf("%d rows of the list cannot be read, so nothing is concluded from what is not on it", w.unreadable)
	}
	return nil
}

// pages asks for the pages one after the other.
func (w *sweepWalk) walkPages(ctx context.Context) error {
	s, l := w.sweeps, w.list
	pages, ok := s.client.Pages(l.List, mkio.Filter{})
	if !ok {
		return fmt.Errorf("no path leads to the list of %s", l)
	}
	for first := true; pages.More(); first = false {
		req := request{horizon: s.eventLog.Horizon(), via: lifecycle.Poll, tally: w.tally, identityChecked: new(bool)}
		page, err := pages.Next(ctx, w.class, l.List)
		if mkio.IsNotFound(err) && l.hasParent() && first {
			w.began = mkio.MomentOf(err).From
			return s.confirmParentGone(ctx, l, err) // and so is what was below it
		}
		if err != nil {
			return err
		}
		if w.stored = w.stored || page.Moment.Stored; first && !w.stored {
			if err := w.noteBegin(ctx, page.Moment.From); err != nil {
				return err
			}
		}
		req.moment = page.Moment
		if err := w.reportPage(page, req); err != nil {
			return err
		}
	}
	return nil
}

// begin notes when the first page was asked for. Before there are parents there is nothing below them, and nothing to
// sweep: the first sweep of those kinds begins with that of their parents.
func (w *sweepWalk) noteBegin(ctx context.Context, at time.Time) error {
	w.began = at
	if err := w.sweeps.first.begin(ctx, append(mkio.ChildKinds(w.list.Kinds), w.list.Kinds...), at); err != nil {
		return err
	}
	w.list.progress.startDeltas(at) // changes can be asked for while the sweep goes on
	return nil
}

// rows shows the rows of a page.
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

// parentGone says that what a list below a parent answered with 404 is empty, if the parent is gone as well; else it
// returns the error.
func (s *fullSweeps) confirmParentGone(ctx context.Context, l *list, err error) error {
	_, parentErr := s.client.Get(ctx, mkio.Changes, l.Parent)
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

// confirmWhenDue brings the next sweeps of lists forward to when what waits on them may be confirmed.
func (s *fullSweeps) scheduleConfirmations(keys []lifecycle.Key) {
	for _, key := range keys {
		if l := s.lists.listOf(key); l != nil {
			s.scheduleConfirmation(l)
		}
	}
}

// sweepWhenDue is confirmWhenDue for one list. What should have been confirmed by now is tried again with the next question
// for changes.
func (s *fullSweeps) scheduleConfirmation(l *list) {
	at, ok := s.deletions.nextConfirmation(l)
	if !ok {
		return
	}
	if now := time.Now(); !at.After(now) {
		at = now.Add(s.intervals.sweep)
	}
	l.schedule.bringForward(modeFull, at)
}
