package poll

import (
	"context"
	"sync"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// maxTries limits how often a recheck is repeated. The next sweep covers the resource anyway.
const maxTries = 5

// maxConcurrentRechecks limits the requests of rechecks: many deliveries may have been lost at once.
const maxConcurrentRechecks = 8

// A recheck requests one resource by its own address.
type recheck struct {
	via      lifecycle.Via // of the observation
	next     time.Time     // when it is due
	tries    int           // how often it was repeated
	running  bool
	deferred bool // added by addDeferred; one that is due at once replaces it
}

// A recheckQueue has the resources to request again: because a conflict or a list suggests it, a delivery was lost, or a response
// was outdated.
//
// mu guards byKey; nothing is called under it.
type recheckQueue struct {
	*scope

	mu    sync.Mutex
	byKey map[lifecycle.Key]*recheck
}

func newRecheckQueue(s *scope) *recheckQueue {
	return &recheckQueue{scope: s, byKey: map[lifecycle.Key]*recheck{}}
}

// add queues a recheck that is due at once.
func (q *recheckQueue) add(key lifecycle.Key, via lifecycle.Via) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r := q.byKey[key]; r == nil || r.deferred && !r.running {
		q.byKey[key] = &recheck{via: via, next: time.Now()}
		q.wakeScheduler()
	}
}

// outdated queues a recheck because a response could not be used: an event of the resource was recorded after the request was
// sent, or MK.IO showed an old record. Each repetition waits longer, and after maxTries there is none.
func (q *recheckQueue) outdated(key lifecycle.Key) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.byKey[key]
	if r == nil {
		r = &recheck{via: lifecycle.Poll}
		q.byKey[key] = r
	}
	if r.tries++; r.tries > maxTries {
		delete(q.byKey, key)
		return
	}
	r.next = time.Now().Add(q.intervals.active << (r.tries - 1))
}

// addDeferred queues a recheck of a resource that is recorded as Deleted and that MK.IO shows. It is due in staysEnded: before
// that the response may come from a replica that lags behind; after it the resource exists. It replaces no recheck that is due
// earlier.
func (q *recheckQueue) addDeferred(key lifecycle.Key, staysEnded time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r := q.byKey[key]; staysEnded > 0 && (r == nil || r.running || r.deferred) {
		q.byKey[key] = &recheck{via: lifecycle.Poll, next: time.Now().Add(max(staysEnded, q.intervals.active)), deferred: true}
	}
}

// take marks due rechecks as running and returns them, as many as may run concurrently. next is when the next one is due. The
// caller must pass each recheck to done, failed or abort.
func (q *recheckQueue) take(now time.Time) (due map[lifecycle.Key]recheck, next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	due, next = map[lifecycle.Key]recheck{}, now.Add(q.intervals.active)
	running := 0
	for _, r := range q.byKey {
		if r.running {
			running++
		}
	}
	for key, r := range q.byKey {
		switch {
		case r.running || running == maxConcurrentRechecks: // one that ends wakes the scheduler
		case now.Before(r.next):
			next = earliest(next, r.next)
		default:
			running++
			r.running = true
			due[key] = *r
		}
	}
	return due, next
}

// done removes a recheck that succeeded, unless another one of the resource was queued meanwhile.
func (q *recheckQueue) done(key lifecycle.Key, taken recheck, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.byKey[key]
	if r == nil {
		return
	}
	r.running = false
	if r.tries == taken.tries && !r.next.After(now) { // neither outdated nor addDeferred was called meanwhile
		delete(q.byKey, key)
	}
}

// failed schedules the next try of a recheck, and returns the time until then; 0: it was the last. queued is false where the
// recheck was removed meanwhile.
func (q *recheckQueue) failed(key lifecycle.Key, now time.Time) (wait time.Duration, queued bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.byKey[key]
	if r == nil {
		return 0, false
	}
	r.running = false
	if r.tries++; r.tries > maxTries {
		delete(q.byKey, key)
		return 0, true
	}
	wait = backoff(r.tries)
	r.next = now.Add(wait)
	return wait, true
}

// abort returns a recheck that was canceled to the queue.
func (q *recheckQueue) abort(key lifecycle.Key) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r := q.byKey[key]; r != nil {
		r.running = false
	}
}

// A rechecker runs the rechecks of the queue.
type rechecker struct {
	*scope
	queue   *recheckQueue
	lists   *lists
	fetcher *fetcher
	breaker *breaker
}

// recheck runs a recheck that was taken from the queue.
func (r *rechecker) recheck(ctx context.Context, key lifecycle.Key, taken recheck) {
	defer r.wakeScheduler()
	l := r.lists.listOf(key)
	err := r.fetcher.fetchTraced(ctx, l, key, taken.via)
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
		r.log.Warn("recheck failed for good; the next sweep covers the resource", "resource", r.heads.Token(key), "error", err)
		return
	}
	r.breaker.trip(err, now, wait)
}
