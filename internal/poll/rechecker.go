package poll

import (
	"context"
	"sync"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// A rechecker runs the rechecks of the queue: few by requests of their own, many by a poll of their list.
type rechecker struct {
	*scope
	queue   *recheckQueue
	lists   *lists
	fetcher *fetcher
	breaker *breaker
}

// start starts the rechecks that are due, in goroutines of the group, and returns when the next one is due.
func (r *rechecker) start(ctx context.Context, inFlight *sync.WaitGroup, now time.Time) time.Time {
	due, next := r.queue.due(now)
	single := r.leaveToLists(due, now)
	class := mkio.Urgent
	if len(single) > maxConcurrentRechecks {
		class = mkio.Changes // many must not delay the resources in motion
	}
	for key, taken := range r.queue.take(single) {
		inFlight.Go(func() { r.recheck(ctx, key, taken, class) })
	}
	return next
}

// leaveToLists brings polls forward of the lists that answer many of the rechecks. It returns the resources to request by their
// own addresses.
func (r *rechecker) leaveToLists(due map[lifecycle.Key]recheckMeans, now time.Time) (single []lifecycle.Key) {
	type byMeans [byAddress + 1][]lifecycle.Key
	lists := map[*list]byMeans{}
	for key, means := range due {
		l := r.lists.listOf(key)
		if l == nil || l.Stateless() { // no list shows its state
			single = append(single, key)
			continue
		}
		if means == byDelta && !r.hasDeltas(l) {
			means = bySweep
		}
		keys := lists[l]
		keys[means] = append(keys[means], key)
		lists[l] = keys
	}
	for l, keys := range lists {
		single = append(single, keys[byAddress]...)
		if l.schedule.failing(modeDelta) || !takesMoreThan(l.progress.lastDeltaPages(), keys[byDelta]) {
			single = append(single, keys[byDelta]...)
		} else {
			l.schedule.bringForward(modeDelta, now)
		}
		if l.schedule.failing(modeFull) || !takesMoreThan(pageCount(r.count(l)), keys[bySweep]) {
			single = append(single, keys[bySweep]...)
		} else {
			r.bringSweepForward(l)
			r.lists.checkNow(l)
		}
	}
	return single
}

// takesMoreThan reports whether it takes more requests to request resources one by one than to request pages of their list. A
// few are requested one by one, which is faster.
func takesMoreThan(pages int, keys []lifecycle.Key) bool { return len(keys) > max(pages, fewRequests) }

// recheck runs a recheck that was taken from the queue.
func (r *rechecker) recheck(ctx context.Context, key lifecycle.Key, taken recheck, class mkio.Class) {
	defer r.wakeScheduler()
	l := r.lists.listOf(key)
	err := r.fetcher.fetchTraced(ctx, l, key, taken.via, class)
	r.lists.checkNow(l) // a 404 brings its next sweep forward
	now := time.Now()
	switch {
	case err == nil:
		r.queue.done(key, taken, now)
		return
	case ctx.Err() != nil:
		r.queue.abort(key)
		return
	}
	wait, queued := r.queue.failed(key, now)
	if !queued {
		return
	}
	r.metrics.failed(r.name, "resource", err)
	if wait == 0 {
		r.log.Warn("recheck abandoned after repeated failures; the next sweep covers the resource", "resource", r.heads.Token(key), "error", err)
		return
	}
	r.breaker.trip(err, now, wait)
}
