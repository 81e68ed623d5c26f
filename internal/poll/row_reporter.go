package poll

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// troubles are resources that could not be shown while others could. What the others show counts all the same.
type resourceErrors struct {
	mu    sync.Mutex
	count int
	first error
}

// maxTroubles is how many resources may fail, of those that were asked for one by one, before the whole errand fails.
const maxResourceErrors = 20

// note counts an error that may be of one resource alone and returns nil. It returns any other error, and one that is too many.
func (e *resourceErrors) tolerate(err error) error {
	if err == nil || !isResourceError(err) {
		return err
	}
	if e.add(err) > maxResourceErrors {
		return fmt.Errorf("of more than %d resources: %w", maxResourceErrors, err)
	}
	return nil
}

// add counts the error of one resource, and returns how many there are. Used by itself, for rows that cost no request, it lets
// any number fail.
func (t *resourceErrors) add(err error) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count++; t.first == nil {
		t.first = err
	}
	return t.count
}

// ofOne says whether an error may be of one resource alone: an answer that cannot be read, or one that this
// address gives.
func isResourceError(err error) bool {
	_, unwritable := errors.AsType[logError](err)
	switch status := mkio.StatusOf(err); {
	case unwritable, mkio.IsNetwork(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	case isIdentityError(err):
		return false
	case status == 401, status == 429, errors.Is(err, errIncomplete):
		return false
	}
	return true
}

// err is what there was, in one error; nil: nothing.
func (t *resourceErrors) err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count == 0 {
		return nil
	}
	return fmt.Errorf("%d resources could not be read, the first: %w", t.count, t.first)
}

// tellTroubles counts and logs those of an errand, and says whether there were any. They are likely to last: one
// warning in each Full will do.
func (s *scope) logResourceErrors(l *list, e pollMode, t *resourceErrors) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count == 0 {
		return false
	}
	s.metrics.failed(s.name, l.String(), t.first)
	level := slog.LevelDebug
	if l.schedule.shouldWarn(time.Now(), s.intervals.full) {
		level = slog.LevelWarn
	}
	s.log.Log(context.Background(), level, "resources cannot be read, and are tried again; all else goes on",
		"list", l.String(), "errand", e.String(), "count", t.count, "error", t.first)
	return true
}

// maxConcurrent is how many resources an errand asks for side by side, and heldRows how many rows may wait for their state.
const (
	maxConcurrent  = 8
	maxWaitingRows = 4096
)

// A rowShower gives the rows of a list to the reporter while the list is walked. If rows do not show their states, it asks for
// them.
type rowReporter struct {
	reporter *reporter
	list     *list
	class    mkio.Class
	tally    *tally // of a sweep

	ctx     context.Context
	group   *errgroup.Group
	waiting chan struct{} // a token for each row that waits for its state: heldRows
	slots   chan struct{} // a token for each request under way: maxConcurrent
	errs    resourceErrors
}

func (r *reporter) newRowReporter(ctx context.Context, l *list, class mkio.Class) *rowReporter {
	group, ctx := errgroup.WithContext(ctx)
	return &rowReporter{
		reporter: r, list: l, class: class, ctx: ctx, group: group,
		waiting: make(chan struct{}, maxWaitingRows), slots: make(chan struct{}, maxConcurrent),
	}
}

// wait waits for all, and returns the first error: the given one, or one of theirs.
func (s *rowReporter) wait(err error) error {
	if other := s.group.Wait(); err == nil || errors.Is(err, context.Canceled) && other != nil {
		return other
	}
	return err
}

// show gives a row with its head to the reporter, or has the state of the row asked for if it must be. An error ends the walk.
func (s *rowReporter) report(row mkio.Row, h head, req request) error {
	r := s.reporter
	switch {
	case row.Shows && reappeared(row, h):
		s.tally.addDifference(row.Key.Kind, false)
		r.rechecks.add(row.Key, lifecycle.Poll)
		return nil
	case row.Shows:
		return s.errs.tolerate(r.reportAgainst(s.ctx, s.list, h, row, row.Observation(), req))
	case !s.list.Stateless():
		s.errs.add(fmt.Errorf("the record of %s shows no state", row.Key))
		return nil
	case !r.needsState(row, h):
		s.tally.addRested(row.Key.Kind)
		return nil
	}
	return s.fetchStateLater(row, req.moment)
}

// askLater has the state of a row, which a page of some moment had, asked for beside the walk.
func (s *rowReporter) fetchStateLater(row mkio.Row, listed mkio.Moment) error {
	select {
	case s.waiting <- struct{}{}:
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
	s.group.Go(func() error {
		defer func() { <-s.waiting }()
		s.slots <- struct{}{}
		defer func() { <-s.slots }()
		return s.errs.tolerate(s.fetchState(row, listed))
	})
	return nil
}

func (s *rowReporter) fetchState(row mkio.Row, listed mkio.Moment) error {
	r := s.reporter
	req := request{horizon: r.eventLog.Horizon(), via: lifecycle.Poll, tally: s.tally}
	state, moment, err := r.client.State(s.ctx, s.class, row.Key)
	if mkio.IsNotFound(err) {
		return nil // it went meanwhile: the next sweep finds out
	}
	if err != nil {
		return err
	}
	o := row.Observation()
	o.State, req.moment = state, mkio.Together(listed, moment)
	return r.report(s.ctx, s.list, row, o, req)
}

// isBack says whether a row shows a resource that is recorded as Deleted, and not, as far as is known, another life of its name.
// A list may lag behind a deletion, so only the resource's own address is believed in that.
func reappeared(row mkio.Row, h head) bool {
	return h.deleted() && (h.fact.Life == "" || row.Life == "" || h.fact.Life == row.Life)
}

// needsState says whether the state of a row that does not show it must be asked for: the resource is new, or another life, or
// recorded as Deleted, or was last recorded by a delivery, or is in motion and was modified since it was last seen. Otherwise
// the active poll asks for it some time if it is in motion, and if it is at rest it stays so.
func (r *reporter) needsState(row mkio.Row, h head) bool {
	fact := h.fact
	switch {
	case fact == nil, h.deleted():
		return true
	case fact.Life != row.Life && fact.Life != "" && row.Life != "":
		return true
	case fact.Delivery != "": // MK.IO delivers nothing of such kinds: who has the webhook secret may have made it up
		return true
	}
	return r.motions.modifiedSinceSeen(h, row.Modified)
}
