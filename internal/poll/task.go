package poll

import (
	"context"
	"log/slog"

	"mkio-bridge/internal/pause"
)

// A chore is work for a project beside its lists. It is done every Sweep, less often while it fails, and not while the
// project is not the one that the log is of or the log cannot be written: what it does could not be recorded.
type task struct {
	*scope
	identity   *identityCheck
	outage     *outage
	label      string // in metrics
	do         func(context.Context) error
	isExpected func(error) bool                  // errors that are no reason for a warning
	logFailure func(level slog.Level, err error) // logs one
}

// run does the chore until the context ends.
func (c task) run(ctx context.Context) {
	for failures := 0; ; {
		wait := c.intervals.sweep
		if c.identity.refused() == nil {
			failures = c.runOnce(ctx, failures)
			if failures > 0 {
				wait = max(wait, backoff(failures))
			}
		}
		if pause.For(ctx, wait) != nil {
			return
		}
	}
}

// once does the chore after so many failures in a row, and returns how many there are now.
func (c task) runOnce(ctx context.Context, failures int) int {
	err := c.eventLog.Trouble()
	if err == nil {
		err = c.do(ctx)
	}
	if err == nil || ctx.Err() != nil {
		return 0
	}
	c.metrics.failed(c.name, c.label, err)
	c.logFailure(c.outage.level(err, failures == 0 && !c.isExpected(err)), err)
	return failures + 1
}
