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
type troubles struct {
	mu    sync.Mutex
	count int
	first error
}

// maxTroubles is how many resources may fail that were asked for before it is taken for the trouble of all.
const maxTroubles = 20

// note takes down the trouble of one resource, and returns an error that is not of one alone.
func (t *troubles) note(err error) error {
	if err == nil || !ofOne(err) {
		return err
	}
	if t.add(err) > maxTroubles {
		return fmt.Errorf("of more than %d resources: %w", maxTroubles, err)
	}
	return nil
}

// add takes down the trouble of one resource that costs no request, so that any number leaves the others as they are, and
// returns how many there are.
func (t *troubles) add(err error) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count++; t.first == nil {
		t.first = err
	}
	return t.count
}

// ofOne says whether an error may be of one resource alone: an answer that cannot be read, or one that this
// address gives.
func ofOne(err error) bool {
	_, unwritable := errors.AsType[logError](err)
	switch status := mkio.StatusOf(err); {
	case unwritable, mkio.IsNetwork(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	case ofIdentity(err):
		return false
	case status == 401, status == 429, errors.Is(err, errIncomplete):
		return false
	}
	return true
}

// err is what there was, in one error; nil: nothing.
func (t *troubles) err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count == 0 {
		return nil
	}
	return fmt.Errorf("%d resources could not be read, the first: %w", t.count, t.first)
}

// tellTroubles counts and logs those of an errand, and says whether there were any. They are likely to last: one
// warning in each Full will do.
func (s *scope) tellTroubles(l *list, e errand, t *troubles) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count == 0 {
		return false
	}
	s.metrics.failed(s.name, l.String(), t.first)
	level := slog.LevelDebug
	if l.schedule.mayWarn(time.Now(), s.pace.full) {
		level = slog.LevelWarn
	}
	s.log.Log(context.Background(), level, "resources cannot be read, and are tried again; all else goes on",
		"list", l.String(), "errand", e.String(), "count", t.count, "error", t.first)
	return true
}

// maxStates is how many resources are asked for side by side, and heldRows how many rows may wait for their state.
const (
	maxStates = 8
	heldRows  = 4096
)

// A rowShower shows the rows of a list while it is walked. Where rows do not show their states, it asks for them.
type rowShower struct {
	reporter *reporter
	list     *list
	class    mkio.Class
	tally    *tally // of a sweep

	ctx      context.Context
	group    *errgroup.Group
	room     chan struct{}
	slots    chan struct{}
	troubles troubles
}

func (r *reporter) newShower(ctx context.Context, l *list, class mkio.Class) *rowShower {
	group, ctx := errgroup.WithContext(ctx)
	return &rowShower{
		reporter: r, list: l, class: class, ctx: ctx, group: group,
		room: make(chan struct{}, heldRows), slots: make(chan struct{}, maxStates),
	}
}

// wait waits for all, and returns the first error: the given one, or one of theirs.
func (s *rowShower) wait(err error) error {
	if other := s.group.Wait(); err == nil || errors.Is(err, context.Canceled) && other != nil {
		return other
	}
	return err
}

// show shows a row beside its entry in the log, or has its state asked for where it must be. The error is one that ends the walk.
func (s *rowShower) show(row mkio.Row, e entry, a asked) error {
	r := s.reporter
	switch {
	case row.Shows && isBack(row, e):
		s.tally.differs(row.Key.Kind, false)
		r.rechecks.add(row.Key, lifecycle.Poll)
		return nil
	case row.Shows:
		return s.troubles.note(r.showBeside(s.ctx, s.list, e, row, row.Observation(), a))
	case !s.list.Stateless():
		s.troubles.add(fmt.Errorf("the record of %s shows no state", row.Key))
		return nil
	case !r.needsState(row, e):
		s.tally.rests(row.Key.Kind)
		return nil
	}
	return s.askLater(row, a.moment)
}

// askLater has the state of a row, which a page of some moment had, asked for beside the walk.
func (s *rowShower) askLater(row mkio.Row, listed mkio.Moment) error {
	select {
	case s.room <- struct{}{}:
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
	s.group.Go(func() error {
		defer func() { <-s.room }()
		s.slots <- struct{}{}
		defer func() { <-s.slots }()
		return s.troubles.note(s.askState(row, listed))
	})
	return nil
}

func (s *rowShower) askState(row mkio.Row, listed mkio.Moment) error {
	r := s.reporter
	a := asked{horizon: r.state.Horizon(), via: lifecycle.Poll, tally: s.tally}
	state, moment, err := r.client.State(s.ctx, s.class, row.Key)
	if mkio.IsNotFound(err) {
		return nil // it went meanwhile: the next sweep finds out
	}
	if err != nil {
		return err
	}
	o := row.Observation()
	o.State, a.moment = state, mkio.Together(listed, moment)
	return r.show(s.ctx, s.list, row, o, a)
}

// isBack says whether a row shows what is recorded as Deleted, and not another life of it. A list may lag behind
// what was deleted, so that is believed of the resource's own address alone.
func isBack(row mkio.Row, e entry) bool {
	return e.deleted() && (e.fact.Life == "" || row.Life == "" || e.fact.Life == row.Life)
}

// needsState says whether the state of a row that does not show it must be asked for: it is new, or another
// life, or deleted as far as is known, or told by a delivery, or in motion and was modified since it was last seen. What is in motion is
// looked at anyway, some time, and what is at rest stays so.
func (r *reporter) needsState(row mkio.Row, e entry) bool {
	fact := e.fact
	switch {
	case fact == nil, e.deleted():
		return true
	case fact.Life != row.Life && fact.Life != "" && row.Life != "":
		return true
	case fact.Delivery != "": // MK.IO delivers nothing of such kinds: who has the webhook secret may have made it up
		return true
	}
	return r.motions.modified(e, row.Modified)
}
