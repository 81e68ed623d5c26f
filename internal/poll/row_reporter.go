package poll

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// resourceErrors collects the errors of single resources during a poll. They do not stop the poll of the others.
type resourceErrors struct {
	mu    sync.Mutex
	count int
	first error
}

// maxResourceErrors is how many resources that are requested one by one may fail before the whole poll fails.
const maxResourceErrors = 20

// tolerate counts an error that concerns one resource, and returns nil. It returns any other error, and an error beyond
// maxResourceErrors.
func (e *resourceErrors) tolerate(err error) error {
	if err == nil || !isResourceError(err) {
		return err
	}
	if e.add(err) > maxResourceErrors {
		return fmt.Errorf("more than %d resources failed: %w", maxResourceErrors, err)
	}
	return nil
}

// add counts the error of one resource, and returns the count. Called directly it has no limit: for rows, which cost no request
// of their own.
func (e *resourceErrors) add(err error) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.count++; e.first == nil {
		e.first = err
	}
	return e.count
}

// isResourceError reports whether an error may concern one resource only: a response that cannot be parsed, or a status that is
// not about the token, the budget or the connection.
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

// err returns the errors as one; nil where there were none.
func (e *resourceErrors) err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.count == 0 {
		return nil
	}
	return fmt.Errorf("%d resources could not be read, the first: %w", e.count, e.first)
}

// logResourceErrors counts and logs the errors of single resources in a poll, and reports whether there were any. They tend to
// last, so only one in each Full is a warning.
func (s *scope) logResourceErrors(l *list, mode pollMode, errs *resourceErrors) bool {
	errs.mu.Lock()
	defer errs.mu.Unlock()
	if errs.count == 0 {
		return false
	}
	s.metrics.failed(s.name, l.String(), errs.first)
	level := slog.LevelDebug
	if l.schedule.shouldWarn(time.Now(), s.intervals.full) {
		level = slog.LevelWarn
	}
	s.log.Log(context.Background(), level, "resources cannot be read; retrying them, others are not affected",
		"list", l.String(), "poll", mode.String(), "count", errs.count, "error", errs.first)
	return true
}

// maxConcurrent limits the concurrent requests of a poll, and its concurrent writes. maxWaitingRows limits the rows that wait for
// either.
const (
	maxConcurrent  = 8
	maxWaitingRows = 4096
)

// A rowReporter passes the rows of a list to the reporter while the pages are walked. Where rows do not carry the state, it
// requests the state of each. States are requested and events are written concurrently: the rows are of different resources.
type rowReporter struct {
	reporter *reporter
	list     *list
	class    mkio.Class
	tally    *tally // of the full sweep; nil for other polls

	ctx     context.Context
	group   *errgroup.Group
	waiting chan struct{} // holds a token for each row that waits for a slot
	slots   chan struct{} // holds a token for each request and each write under way
	errs    resourceErrors
	leftOut atomic.Bool // another poll requests the state of a row already
}

func (r *reporter) newRowReporter(ctx context.Context, l *list, class mkio.Class) *rowReporter {
	group, ctx := errgroup.WithContext(ctx)
	return &rowReporter{
		reporter: r, list: l, class: class, ctx: ctx, group: group,
		waiting: make(chan struct{}, maxWaitingRows), slots: make(chan struct{}, maxConcurrent),
	}
}

// wait waits for the requests of states and for the writes. It returns the error of the walk or else the first error of a request.
func (s *rowReporter) wait(err error) error {
	if other := s.group.Wait(); err == nil || errors.Is(err, context.Canceled) && other != nil {
		return other
	}
	return err
}

// report passes a row with its head to the reporter, or requests the row's state first. An error ends the walk.
func (s *rowReporter) report(row mkio.Row, h head, req request) error {
	r := s.reporter
	switch {
	case row.HasState && reappeared(row, h):
		s.tally.addDifference(row.Key.Kind, false)
		r.rechecks.addByAddress(row.Key)
		return nil
	case row.HasState:
		return s.reportState(row, h, req)
	case !s.list.Stateless():
		s.errs.add(fmt.Errorf("record of %s has no state", row.Key))
		return nil
	case !r.needsState(row, h):
		s.tally.addRested(row.Key.Kind)
		return nil
	}
	if !r.states.begin(row.Key) && s.tally == nil { // a full sweep must know that each state was requested
		r.states.end(row.Key)
		s.leftOut.Store(true)
		return nil
	}
	return s.fetchStateLater(row, req.asOf)
}

// fetchStateLater requests the state of a row concurrently with the walk. listed is the AsOf of the row's page.
func (s *rowReporter) fetchStateLater(row mkio.Row, listed mkio.AsOf) error {
	states := s.reporter.states
	err := s.later(func() error {
		defer states.end(row.Key)
		return s.fetchState(row, listed)
	})
	if err != nil { // it does not run
		states.end(row.Key)
	}
	return err
}

// reportState compares a row with its head, and has it recorded if it is news.
func (s *rowReporter) reportState(row mkio.Row, h head, req request) error {
	r := s.reporter
	o, news, err := r.compare(s.ctx, s.list, h, row, row.Observation(), req)
	if err != nil || !news {
		return s.errs.tolerate(err)
	}
	return s.recordLater(row, h, o, req)
}

// recordLater records an observation concurrently with the walk. It is a function of its own so that only news is copied to the
// heap: most rows are unchanged.
func (s *rowReporter) recordLater(row mkio.Row, h head, o lifecycle.Observation, req request) error {
	return s.later(func() error { return s.reporter.record(s.ctx, s.list, h, row, o, req) })
}

// later does something for a row concurrently with the walk.
func (s *rowReporter) later(do func() error) error {
	select {
	case s.waiting <- struct{}{}:
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
	s.group.Go(func() error {
		defer func() { <-s.waiting }()
		s.slots <- struct{}{}
		defer func() { <-s.slots }()
		return s.errs.tolerate(do())
	})
	return nil
}

func (s *rowReporter) fetchState(row mkio.Row, listed mkio.AsOf) error {
	r := s.reporter
	req := r.newRequest(lifecycle.Poll, s.tally)
	state, asOf, err := r.client.State(s.ctx, s.class, row.Key)
	if mkio.IsNotFound(err) {
		return nil // deleted since the page was read: the next sweep confirms it
	}
	if err != nil {
		return err
	}
	o := row.Observation()
	o.State, req.asOf = state, mkio.CombinedAsOf(listed, asOf)
	return r.report(s.ctx, s.list, row, o, req)
}

// reappeared reports whether a row shows a resource that is recorded as Deleted, unless it is known to be another life. A list
// may lag behind a deletion, so the resource is requested by its own address.
func reappeared(row mkio.Row, h head) bool {
	return h.deleted() && (h.fact.Life == "" || row.Life == "" || h.fact.Life == row.Life)
}

// needsState reports whether the state of a row that does not carry it must be requested: the resource is new, another life,
// recorded as Deleted, last recorded by a delivery, or in motion and modified since it was last seen. Any other resource is
// either at rest, and stays so, or in motion, and the active poll requests it.
func (r *reporter) needsState(row mkio.Row, h head) bool {
	fact := h.fact
	switch {
	case fact == nil, h.deleted():
		return true
	case fact.Life != row.Life && fact.Life != "" && row.Life != "":
		return true
	case fact.Delivery != "": // MK.IO sends no deliveries of such kinds: the webhook secret may have leaked
		return true
	}
	return r.motions.modifiedSinceSeen(h, row.Modified)
}
