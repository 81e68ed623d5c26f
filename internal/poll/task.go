package poll

import (
	"context"
	"log/slog"

	"mkio-bridge/internal/pause"
)

// A task is periodic work for a project other than polling its lists. It runs every Sweep, and less often while it fails. It
// does not run while the project is refused or the log cannot be written, because nothing could be recorded then.
type task struct {
	*scope
	identity   *identityCheck
	outage     *outage
	label      string // in metrics: the label "list"
	do         func(context.Context) error
	isExpected func(error) bool // errors that are not worth a warning
	logFailure func(level slog.Level, err error)
}

// run runs the task until the context ends.
func (t task) run(ctx context.Context) {
	for failures := 0; ; {
		wait := t.intervals.sweep
		if t.identity.refused() == nil {
			failures = t.runOnce(ctx, failures)
			if failures > 0 {
				wait = max(wait, backoff(failures))
			}
		}
		if pause.For(ctx, wait) != nil {
			return
		}
	}
}

// runOnce runs the task once. It takes and returns the number of failures in a row.
func (t task) runOnce(ctx context.Context, failures int) int {
	err := t.eventLog.Unavailable()
	if err == nil {
		err = t.do(ctx)
	}
	if err == nil || ctx.Err() != nil {
		return 0
	}
	t.metrics.failed(t.name, t.label, err)
	t.logFailure(t.outage.level(err, failures == 0 && !t.isExpected(err)), err)
	return failures + 1
}
