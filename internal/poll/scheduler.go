package poll

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/tracing"
)

// A scheduler starts what is due: polls of lists, and rechecks. Each runs in a goroutine of its own, which run waits for. When
// something is due is decided elsewhere: by the schedule of each list, motions, the recheck queue and the breaker.
type scheduler struct {
	*scope
	lists     *lists
	motions   *motions
	rechecks  *rechecker
	identity  *identityCheck
	deletions *waitingDeletions
	first     *firstSweeps
	breaker   *breaker
	outage    *outage
	full      *fullSweeps
	deltas    *deltaSweeps
	active    *activePoll

	inFlight sync.WaitGroup // polls and rechecks under way

	epoch uint64 // of the log that MK.IO is compared with; owned by the goroutine of run
}

// run starts what is due until the context ends, and waits for what it started.
func (s *scheduler) run(ctx context.Context) {
	defer s.inFlight.Wait()
	for {
		timer := time.NewTimer(time.Until(s.startDue(ctx)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// startDue starts everything that is due, and returns when the next poll or recheck may be due.
func (s *scheduler) startDue(ctx context.Context) time.Time {
	now := time.Now()
	if s.identity.refused() != nil {
		return now.Add(s.intervals.sweep) // identityCheck wakes the scheduler when the project is accepted again
	}
	if until, open := s.breaker.blocked(now); open {
		return until
	}
	s.resetOnNewLog()
	s.lists.updateChildLists()
	for parent := range s.motions.update(now) {
		s.lists.checkNow(s.lists.listBelow(parent))
	}
	s.finishFirstSweeps(ctx)
	next := s.rechecks.start(ctx, &s.inFlight, now) // first, because it brings polls of lists forward
	for _, l := range s.lists.due(now) {
		at := s.startList(ctx, l, now)
		s.lists.checkAgain(l, at)
		next = earliest(next, at)
	}
	return earliest(next, latest(s.lists.nextCheck(next), now.Add(minSleep)))
}

// resetOnNewLog forgets all comparisons when the event log was replaced.
func (s *scheduler) resetOnNewLog() {
	epoch := s.eventLog.Epoch()
	if epoch == s.epoch {
		return
	}
	s.log.Warn("event log was replaced; starting a full sweep of every list")
	s.epoch = epoch
	s.motions.reset()
	s.lists.reset()
	s.deletions.reset()
}

// finishFirstSweeps notes that the first sweep of a child kind is over, once all lists of its parents and all lists below them
// were swept.
func (s *scheduler) finishFirstSweeps(ctx context.Context) {
	for _, child := range childKinds(s.kinds) {
		if s.first.done(child) || !s.lists.sweptBelow(child) || !s.first.claim(child) {
			continue
		}
		s.inFlight.Go(func() {
			defer s.first.release(child)
			if err := s.first.finish(ctx, []lifecycle.Kind{child}); err != nil && ctx.Err() == nil {
				s.breaker.trip(err, time.Now(), s.intervals.active)
			}
		})
	}
}

// minSleep is the shortest sleep of the scheduler: what it has just started must not wake it at once.
const minSleep = 10 * time.Millisecond

// startList starts the polls of one list that are due, and returns when its next poll may be due. A poll that ends wakes the
// scheduler.
func (s *scheduler) startList(ctx context.Context, l *list, now time.Time) time.Time {
	next := now.Add(s.intervals.active)
	if l.hasParent() {
		next = now.Add(s.intervals.sweep) // checkNow is called where something is due earlier than it was
	}
	sweptWhole := s.sweptWhole(l)
	due := l.schedule.due()
	if !due.running[modeFull] {
		at := due.next[modeFull]
		if sweptWhole {
			at = earliest(at, due.next[modeDelta])
		}
		next = earliest(next, at)
		if !now.Before(at) {
			class := mkio.Sweeps
			if sweptWhole && !l.progress.lastSweep().began.IsZero() {
				class = mkio.Changes
			}
			s.startPoll(ctx, l, modeFull, func(ctx context.Context) error { return s.full.sweep(ctx, l, class) })
		}
	}
	if !due.running[modeDelta] && s.hasDeltas(l) {
		at := latest(due.next[modeDelta], s.afterFirstSweep(l))
		next = earliest(next, at)
		if !now.Before(at) {
			s.startPoll(ctx, l, modeDelta, func(ctx context.Context) error { return s.deltas.sweep(ctx, l, mkio.Changes, nil) })
		}
	}
	if moving, at := s.motions.ofList(l); !due.running[modeActive] && len(moving) > 0 {
		at = latest(at, due.next[modeActive])
		next = earliest(next, at)
		if !now.Before(at) {
			s.startPoll(ctx, l, modeActive, func(ctx context.Context) error { return s.active.poll(ctx, l, moving) })
		}
	}
	return latest(next, now.Add(minSleep))
}

// afterFirstSweep returns when delta sweeps of a list may start while its first sweep is under way, which lists the same
// resources: when that has taken longer than the interval of delta sweeps.
func (s *scheduler) afterFirstSweep(l *list) time.Time {
	began, running := l.schedule.runningSince(modeFull)
	if !running || !l.progress.lastSweep().began.IsZero() {
		return time.Time{}
	}
	return began.Add(s.intervals.sweep)
}

// startPoll starts a poll of a list, in a trace of its own, which becomes the origin of the events that the poll records.
func (s *scheduler) startPoll(ctx context.Context, l *list, mode pollMode, do func(context.Context) error) {
	if !l.schedule.begin(mode) {
		return
	}
	began := time.Now()
	s.inFlight.Go(func() {
		pollCtx, span := s.tracer.Root(ctx, "poll "+mode.String())
		err := do(pollCtx)
		tracing.End(span, err, func() []attribute.KeyValue {
			return []attribute.KeyValue{attribute.String("mkio.project", s.name), attribute.String("mkio.list", l.String())}
		})
		s.pollEnded(ctx, l, mode, err)
		s.rechecks.queue.listPolled(l, mode, began, err)
		s.lists.checkNow(l)
		s.wakeScheduler()
	})
}

// pollEnded notes the result of a poll, which decides when the next one of the same mode is due.
func (s *scheduler) pollEnded(ctx context.Context, l *list, mode pollMode, err error) {
	now := time.Now()
	if ctx.Err() != nil {
		l.schedule.abort(mode)
		return
	}
	if err == nil {
		s.outage.responded()
		if l.schedule.succeed(mode, now, s.intervals) > 0 {
			s.log.Info("poll recovered", "list", l.String(), "poll", mode.String())
		}
		s.breaker.succeed(now)
		return
	}
	failures, wait := l.schedule.fail(mode, now)
	s.metrics.failed(s.name, l.String(), err)
	if s.breaker.trip(err, now, wait) {
		return
	}
	s.log.Log(ctx, s.outage.level(err, failures == 1), "poll failed; retrying",
		"list", l.String(), "poll", mode.String(), "error", err, "do", s.advice(err), "in", wait)
}
