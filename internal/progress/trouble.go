package progress

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// A trouble is an error that lasts: it is logged as a warning once, until it is over.
type trouble struct{ reported atomic.Bool }

// report logs that the bucket cannot be read, or written.
func (t *trouble) report(c Config, done string, err error) {
	level := slog.LevelWarn
	if t.reported.Swap(true) {
		level = slog.LevelDebug
	}
	do := ""
	if c.Advise != nil {
		do = c.Advise(err)
	}
	c.Log.Log(context.Background(), level, "progress of jobs cannot be "+done+"; retrying, nothing else is affected",
		"bucket", c.Streams.Names.ProgressBucket(), "error", err, "do", do)
}

// over logs the end of what was reported.
func (t *trouble) over(c Config, done string) {
	if t.reported.Swap(false) {
		c.Log.Info("progress of jobs is "+done+" again", "bucket", c.Streams.Names.ProgressBucket())
	}
}
