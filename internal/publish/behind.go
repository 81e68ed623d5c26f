package publish

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Times of the check whether the tail of the log has stalled.
const (
	behindTimeout       = 5 * time.Second // without a new event, while the log has more
	behindCheckInterval = time.Second
)

// errBehind is the error of a tail that receives no events though the log has more: its consumer was changed, paused or
// lost.
var errBehind = errors.New("tail of the log stalled though the log has more events: its consumer may have been changed or paused")

// advanceLogEnd raises the known end of the log to a sequence.
func (f *follower) advanceLogEnd(sequence uint64) {
	for {
		known := f.logEnd.Load()
		if known >= sequence || f.logEnd.CompareAndSwap(known, sequence) {
			return
		}
	}
}

// watchTail cancels a tail that stays behind the log's end without a new event. The end is known from this bridge's own
// writes and, for those of other bridges, from the surveys of the streams.
func (f *follower) watchTail(ctx context.Context, end context.CancelCauseFunc) {
	ticker := time.NewTicker(behindCheckInterval)
	defer ticker.Stop()
	seen, since := f.loaded.Load(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		last := f.logEnd.Load()
		if now := f.loaded.Load(); now != seen || now >= last || !f.nc.IsConnected() {
			seen, since = now, time.Now()
			continue
		}
		if time.Since(since) >= behindTimeout {
			f.tailsBehind.Inc()
			end(fmt.Errorf("%w: log ends at %d, tail is at %d", errBehind, last, seen))
			return
		}
	}
}
