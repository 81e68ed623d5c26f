package publish

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Patience with the tail of the log.
const (
	newsWait = 5 * time.Second // that it may be behind the log's end without a new event
	newsLook = time.Second     // between two looks
)

// errBehind is for a tail that gets no events though the log has them: its consumer was changed, paused or lost.
var errBehind = errors.New("the log has events that its tail does not get: its consumer may have been changed or paused")

// noteEnd notes that the log has an event at a sequence.
func (f *follower) noteEnd(sequence uint64) {
	for {
		end := f.end.Load()
		if end >= sequence || f.end.CompareAndSwap(end, sequence) {
			return
		}
	}
}

// watchTail ends a tail that stays behind the log's end without news. What was written here tells where the end is, and
// so do the surveys of the streams, for what other bridges wrote.
func (f *follower) watchTail(ctx context.Context, end context.CancelCauseFunc) {
	ticker := time.NewTicker(newsLook)
	defer ticker.Stop()
	seen, since := f.loaded.Load(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		last := f.end.Load()
		if now := f.loaded.Load(); now != seen || now >= last || !f.nc.IsConnected() {
			seen, since = now, time.Now()
			continue
		}
		if time.Since(since) >= newsWait {
			f.tails.Inc()
			end(fmt.Errorf("%w: they end at %d, it is at %d", errBehind, last, seen))
			return
		}
	}
}
