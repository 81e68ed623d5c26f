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

// A scheduler starts what is due: the errands of lists, and rechecks. Each runs in a goroutine of its own, which run waits
// for. What is due is the matter of other parts: a list's schedule, motions, the recheck queue, the breaker.
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

	inFlight sync.WaitGroup

	// Of the goroutine of run.
	epoch   uint64 // of the log that everything was compared with
	scanned uint64 // the horizon of the log when motions and parents were last updated
}

// run starts what is due until the context ends, and waits for what is under way.
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

// start begins everything that is due, and returns when the next may be.
func (s *scheduler) startDue(ctx context.Context) time.Time {
	now := time.Now()
	if s.identity.refused() != nil {
		return now.Add(s.intervals.sweep) // the identityWatch rouses the scheduler when that is over
	}
	if until, open := s.breaker.blocked(now); open {
		return until
	}
	s.resetOnNewLog()
	if horizon := s.eventLog.Horizon(); horizon != s.scanned || s.scanned == 0 {
		s.scanned = horizon
		s.motions.update(now)
		s.lists.updateParents()
	}
	s.finishFirstSweeps(ctx)
	next := now.Add(s.intervals.active)
	for _, l := range s.lists.all() {
		next = earliest(next, s.startList(ctx, l, now))
	}
	return earliest(next, s.startRechecks(ctx, now))
}

// beginAgain has everything compared anew when the log is another one.
func (s *scheduler) resetOnNewLog() {
	epoch := s.eventLog.Epoch()
	if epoch == s.epoch {
		return
	}
	s.log.Warn("the log is not the one that MK.IO was compared with: everything is compared again")
	s.epoch, s.scanned = epoch, 0
	s.motions.reset()
	s.lists.reset()
	s.deletions.reset()
}

// finishFirst notes that the first sweep of what lies below parents is over, when all parents were swept for
// the first time and so was each list below one.
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

// startRechecks begins to ask for what is to be asked for again, and returns when more of it is due.
func (s *scheduler) startRechecks(ctx context.Context, now time.Time) time.Time {
	due, next := s.rechecks.queue.take(now)
	for key, r := range due {
		s.inFlight.Go(func() { s.rechecks.recheck(ctx, key, r) })
	}
	return next
}

// shortest is the least that the scheduler sleeps: what it just began is no reason to come again.
const minSleep = 10 * time.Millisecond

// startList begins what is due of one list, and returns when something of it may be due next. What is
// under way rouses the scheduler when it ends.
func (s *scheduler) startList(ctx context.Context, l *list, now time.Time) time.Time {
	next := now.Add(s.intervals.active)
	sweptWhole := fitsOnePage(s.count(l)) || !l.ByChange() || l.hasParent()
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
	if !due.running[modeDelta] && !sweptWhole && !l.progress.deltaSince().IsZero() {
		next = earliest(next, due.next[modeDelta])
		if !now.Before(due.next[modeDelta]) {
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

// begin starts an errand, in a trace of its own, which is the origin of the events that it records.
func (s *scheduler) startPoll(ctx context.Context, l *list, mode pollMode, do func(context.Context) error) {
	if !l.schedule.begin(mode) {
		return
	}
	s.inFlight.Go(func() {
		pollCtx, span := s.tracer.Root(ctx, "poll "+mode.String())
		err := do(pollCtx)
		tracing.End(span, err, func() []attribute.KeyValue {
			return []attribute.KeyValue{attribute.String("mkio.project", s.name), attribute.String("mkio.list", l.String())}
		})
		s.pollEnded(ctx, l, mode, err)
		s.wakeScheduler()
	})
}

// ended notes how an errand ended, and when it is due again.
func (s *scheduler) pollEnded(ctx context.Context, l *list, mode pollMode, err error) {
	now := time.Now()
	if ctx.Err() != nil {
		l.schedule.abort(mode)
		return
	}
	if err == nil {
		s.outage.responded()
		if l.schedule.succeed(mode, now, s.intervals) > 0 {
			s.log.Info("it can be asked for again", "list", l.String(), "errand", mode.String())
		}
		s.breaker.succeed(now)
		return
	}
	failures, wait := l.schedule.fail(mode, now)
	s.metrics.failed(s.name, l.String(), err)
	if s.breaker.trip(err, now, wait) {
		return
	}
	s.log.Log(ctx, s.outage.level(err, failures == 1), "it cannot be asked for, and is tried again", "list", l.String(), "errand", mode.String(), "error", err, "do", s.advice(err), "in", wait)
}
