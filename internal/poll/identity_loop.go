package poll

import (
	"context"
	"time"

	"mkio-bridge/internal/pause"
)

// maxProjectTries is how often a project that does not respond is requested before its lists are polled anyway.
const maxProjectTries = 3

// An identityLoop repeats the identity check of a project every Sweep. It has no state.
type identityLoop struct {
	*scope
	identity       *identityCheck
	breaker        *breaker
	outage         *outage
	projectsListed bool // the poller lists the projects, and compares the ids on that list
}

// awaitProject returns when the project may be polled: it has responded and its identity does not differ. A project that does
// not respond is polled after maxProjectTries, because its lists may respond; no deletion is recorded before the project does.
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

// logUnresponsive counts and logs that the project does not respond.
func (w *identityLoop) logUnresponsive(err error, wait time.Duration, first bool) {
	w.metrics.failed(w.name, "project", err)
	if !w.breaker.trip(err, time.Now(), wait) {
		w.log.Log(context.Background(), w.outage.level(err, first), "project does not respond; no deletions are recorded until it does", "error", err, "do", w.advice(err))
	}
}

// run checks the identity every Sweep until the context ends. Where the poller lists the projects, it requests only a project
// that is refused or has not responded yet.
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
