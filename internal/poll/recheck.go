package poll

import (
	"context"
	"sync"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// maxTries bounds how often an answer that was overtaken is asked for again. The next sweep asks anyway.
const maxTries = 5

// maxRechecks is how many resources are asked for again side by side: many deliveries may have been lost at once.
const maxConcurrentRechecks = 8

// A recheck is a resource that is to be asked for by its own address.
type recheck struct {
	via   lifecycle.Via
	next  time.Time
	tries int
	busy  bool
	// patient is for one that waits for long (afterItsEnd): an urgent one replaces it.
	deferred bool
}

// A recheckQueue has the resources that are to be asked for again: somebody wants it, a delivery was lost, or an answer was
// of no use.
//
// mu guards the queue; nothing is called under it.
type recheckQueue struct {
	*scope

	mu    sync.Mutex
	byKey map[lifecycle.Key]*recheck
}

func newRecheckQueue(s *scope) *recheckQueue {
	return &recheckQueue{scope: s, byKey: map[lifecycle.Key]*recheck{}}
}

// add has a resource asked for as soon as the budget allows.
func (q *recheckQueue) add(key lifecycle.Key, via lifecycle.Via) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r := q.byKey[key]; r == nil || r.deferred && !r.busy {
		q.byKey[key] = &recheck{via: via, next: time.Now()}
		q.wakeScheduler()
	}
}

// overtaken asks again for a resource, later and later, because the answer was overtaken: an event of the resource was recorded
// while MK.IO was asked, or MK.IO showed an old record.
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

// afterItsEnd asks again for a resource that is recorded as Deleted and that MK.IO shows. It waits for staysEnded: until then the
// answer may be of a replica that lags, and after it the resource lives. Another recheck of it may come before.
func (q *recheckQueue) addDeferred(key lifecycle.Key, staysEnded time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r := q.byKey[key]; staysEnded > 0 && (r == nil || r.busy || r.deferred) {
		q.byKey[key] = &recheck{via: lifecycle.Poll, next: time.Now().Add(max(staysEnded, q.intervals.active)), deferred: true}
	}
}

// take returns the rechecks that are due, as many as may run beside those under way, and when more of them are. Each must be
// given back to done.
func (q *recheckQueue) take(now time.Time) (due map[lifecycle.Key]recheck, next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	due, next = map[lifecycle.Key]recheck{}, now.Add(q.intervals.active)
	busy := 0
	for _, r := range q.byKey {
		if r.busy {
			busy++
		}
	}
	for key, r := range q.byKey {
		switch {
		case r.busy || busy == maxConcurrentRechecks: // one that ends rouses the scheduler
		case now.Before(r.next):
			next = earliest(next, r.next)
		default:
			busy++
			r.busy = true
			due[key] = *r
		}
	}
	return due, next
}

// done takes a recheck that had an answer from the queue, unless the resource is to be asked for once more.
func (q *recheckQueue) done(key lifecycle.Key, taken recheck, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.byKey[key]
	if r == nil {
		return
	}
	r.busy = false
	if r.tries == taken.tries && !r.next.After(now) { // it was not overtaken again, nor is it shown after its end
		delete(q.byKey, key)
	}
}

// failed has a resource that could not be asked for tried again, and says in what time (0: it is given up), where it is
// queued still.
func (q *recheckQueue) failed(key lifecycle.Key, now time.Time) (wait time.Duration, queued bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.byKey[key]
	if r == nil {
		return 0, false
	}
	r.busy = false
	if r.tries++; r.tries > maxTries {
		delete(q.byKey, key)
		return 0, true
	}
	wait = backoff(r.tries)
	r.next = now.Add(wait)
	return wait, true
}

// abort gives back a recheck that was ended before it had an answer.
func (q *recheckQueue) abort(key lifecycle.Key) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r := q.byKey[key]; r != nil {
		r.busy = false
	}
}

// A rechecker asks for what is in the queue.
type rechecker struct {
	*scope
	queue   *recheckQueue
	lists   *lists
	fetcher *fetcher
	breaker *breaker
}

// recheck asks for a resource that was taken from the queue.
func (r *rechecker) recheck(ctx context.Context, key lifecycle.Key, taken recheck) {
	defer r.wakeScheduler()
	err := r.fetcher.fetchTraced(ctx, r.lists.listOf(key), key, taken.via)
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
		r.log.Warn("a resource cannot be asked for; the next sweep shows it", "resource", r.heads.Token(key), "error", err)
		return
	}
	r.breaker.trip(err, now, wait)
}
