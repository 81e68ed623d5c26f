package progress

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// A trouble is an error that lasts: it is logged as a warning once, until it is over.
type trouble struct{ reported atomic.Bool }

// report logs that the bucket cannot be read, or written: what is to be done is read or write.
func (t *trouble) report(c Config, do string, err error) {
	level := slog.LevelWarn
	if t.reported.Swap(true) {
		level = slog.LevelDebug
	}
	advice := ""
	if c.Advise != nil {
		advice = c.Advise(err)
	}
	c.Log.Log(context.Background(), level, "progress of jobs is not stored; retrying, nothing else is affected",
		"cannot", do, "bucket", c.Streams.Names.ProgressBucket(), "error", err, "do", advice)
}

// over logs the end of what was reported.
func (t *trouble) over(c Config, do string) {
	if t.reported.Swap(false) {
		c.Log.Info("progress of jobs is stored again", "can", do, "bucket", c.Streams.Names.ProgressBucket())
	}
}
