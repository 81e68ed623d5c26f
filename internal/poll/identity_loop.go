package poll

import (
	"context"
	"time"

	"mkio-bridge/internal/pause"
)

// projectTries is how often a project that does not answer is asked for before its lists are.
const maxProjectTries = 3

// An identityWatch compares a project again and again with the one that the log is of. It has no state.
type identityLoop struct {
	*scope
	identity       *identityCheck
	breaker        *breaker
	outage         *outage
	projectsListed bool // MK.IO's list of projects is asked for, and tells the ids
}

// await waits until the project may be polled: it answers, and is not another one than the log's. One that goes on not to
// answer is polled all the same, for its lists may: nothing of it is Deleted before it answers.
func (w *identityLoop) awaitProject(ctx context.Context) {
	for failures := 0; ctx.Err() == nil && failures < maxProjectTries; {
		err := w.identity.check(ctx)
		if err == nil || isUnknown(err) || ctx.Err() != nil {
			return
		}
		wait := w.intervals.sweep
		if !isMismatch(err) {
			failures++
			wait = backoff(failures)
			w.logUnresponsive(err, wait, failures == 1)
		}
		if pause.For(ctx, wait) != nil {
			return
		}
	}
}

// noAnswer notes that the project does not answer.
func (w *identityLoop) logUnresponsive(err error, wait time.Duration, first bool) {
	w.metrics.failed(w.name, "project", err)
	if !w.breaker.trip(err, time.Now(), wait) {
		w.log.Log(context.Background(), w.outage.level(err, first), "the project does not answer; nothing of it is Deleted until it does", "error", err, "do", w.advice(err))
	}
}

// run compares the project now and then with the one that the log is of, until the context ends. Where MK.IO's
// list of projects is asked for, that tells the id; a project that is refused, or has not answered yet, is asked for by itself.
func (w *identityLoop) run(ctx context.Context) {
	for pause.For(ctx, w.intervals.sweep) == nil {
		if w.projectsListed && w.identity.isPolled() {
			continue
		}
		if err := w.identity.check(ctx); err != nil && !isIdentityError(err) && ctx.Err() == nil {
			w.logUnresponsive(err, w.intervals.active, false)
		}
	}
}
