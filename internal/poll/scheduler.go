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
	lists    *lists
	motions  *motions
	rechecks *rechecker
	identity *identification
	patience *patience
	first    *firstSweeps
	breaker  *breaker
	outage   *outage
	full     *fullSweeps
	deltas   *deltaSweeps
	active   *activePoll

	errands sync.WaitGroup

	// Of the goroutine of run.
	epoch  uint64 // of the log that everything was compared with
	looked uint64 // the horizon of the log when motions and parents were last updated
}

// run starts what is due until the context ends, and waits for what is under way.
func (s *scheduler) run(ctx context.Context) {
	defer s.errands.Wait()
	for {
		timer := time.NewTimer(time.Until(s.start(ctx)))
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
func (s *scheduler) start(ctx context.Context) time.Time {
	now := time.Now()
	if s.identity.refused() != nil {
		return now.Add(s.pace.sweep) // the identityWatch rouses the scheduler when that is over
	}
	if until, yes := s.breaker.blocked(now); yes {
		return until
	}
	s.beginAgain()
	if horizon := s.eventLog.Horizon(); horizon != s.looked || s.looked == 0 {
		s.looked = horizon
		s.motions.update(now)
		s.lists.findParents()
	}
	s.finishFirst(ctx)
	next := now.Add(s.pace.active)
	for _, l := range s.lists.all() {
		next = earlier(next, s.startList(ctx, l, now))
	}
	return earlier(next, s.startRechecks(ctx, now))
}

// beginAgain has everything compared anew when the log is another one.
func (s *scheduler) beginAgain() {
	epoch := s.eventLog.Epoch()
	if epoch == s.epoch {
		return
	}
	s.log.Warn("the log is not the one that MK.IO was compared with: everything is compared again")
	s.epoch, s.looked = epoch, 0
	s.motions.forget()
	s.lists.forget()
	s.patience.forget()
}

// finishFirst notes that the first sweep of what lies below parents is over, when all parents were swept for
// the first time and so was each list below one.
func (s *scheduler) finishFirst(ctx context.Context) {
	for _, child := range childKinds(s.kinds) {
		if s.first.done(child) || !s.lists.sweptBelow(child) || !s.first.claim(child) {
			continue
		}
		s.errands.Go(func() {
			defer s.first.release(child)
			if err := s.first.finish(ctx, []lifecycle.Kind{child}); err != nil && ctx.Err() == nil {
				s.breaker.trip(err, time.Now(), s.pace.active)
			}
		})
	}
}

// startRechecks begins to ask for what is to be asked for again, and returns when more of it is due.
func (s *scheduler) startRechecks(ctx context.Context, now time.Time) time.Time {
	due, next := s.rechecks.queue.take(now)
	for key, as := range due {
		s.errands.Go(func() { s.rechecks.recheck(ctx, key, as) })
	}
	return next
}

// shortest is the least that the scheduler sleeps: what it just began is no reason to come again.
const shortest = 10 * time.Millisecond

// startList begins what is due of one list, and returns when something of it may be due next. What is
// under way rouses the scheduler when it ends.
func (s *scheduler) startList(ctx context.Context, l *list, now time.Time) time.Time {
	next := now.Add(s.pace.active)
	short := onePage(s.count(l)) || !l.ByChange() || l.below()
	due := l.schedule.due()
	if !due.busy[sweeping] {
		at := due.next[sweeping]
		if short {
			at = earlier(at, due.next[changes])
		}
		next = earlier(next, at)
		if !now.Before(at) {
			class := mkio.Sweeps
			if short && !l.progress.last().at.IsZero() {
				class = mkio.Changes
			}
			s.begin(ctx, l, sweeping, func(ctx context.Context) error { return s.full.sweep(ctx, l, class) })
		}
	}
	if !due.busy[changes] && !short && !l.progress.since().IsZero() {
		next = earlier(next, due.next[changes])
		if !now.Before(due.next[changes]) {
			s.begin(ctx, l, changes, func(ctx context.Context) error { return s.deltas.ask(ctx, l, mkio.Changes, nil) })
		}
	}
	if moving, at := s.motions.on(l); !due.busy[looking] && len(moving) > 0 {
		at = later(at, due.next[looking])
		next = earlier(next, at)
		if !now.Before(at) {
			s.begin(ctx, l, looking, func(ctx context.Context) error { return s.active.look(ctx, l, moving) })
		}
	}
	return later(next, now.Add(shortest))
}

// begin starts an errand, in a trace of its own, which is the origin of the events that it records.
func (s *scheduler) begin(ctx context.Context, l *list, e errand, do func(context.Context) error) {
	if !l.schedule.begin(e) {
		return
	}
	s.errands.Go(func() {
		within, span := s.tracer.Root(ctx, "poll "+e.String())
		err := do(within)
		tracing.End(span, err, func() []attribute.KeyValue {
			return []attribute.KeyValue{attribute.String("mkio.project", s.name), attribute.String("mkio.list", l.String())}
		})
		s.ended(ctx, l, e, err)
		s.rouse()
	})
}

// ended notes how an errand ended, and when it is due again.
func (s *scheduler) ended(ctx context.Context, l *list, e errand, err error) {
	now := time.Now()
	if ctx.Err() != nil {
		l.schedule.abort(e)
		return
	}
	if err == nil {
		s.outage.answered()
		if l.schedule.succeed(e, now, s.pace) > 0 {
			s.log.Info("it can be asked for again", "list", l.String(), "errand", e.String())
		}
		s.breaker.success(now)
		return
	}
	failures, wait := l.schedule.fail(e, now)
	s.metrics.failed(s.name, l.String(), err)
	if s.breaker.trip(err, now, wait) {
		return
	}
	s.log.Log(ctx, s.outage.level(err, failures == 1), "it cannot be asked for, and is tried again", "list", l.String(), "errand", e.String(), "error", err, "do", s.advice(err), "in", wait)
}
