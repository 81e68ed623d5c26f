package poll

import (
	"sync"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// maxTries limits how often a recheck is repeated. The next sweep covers the resource anyway.
const maxTries = 5

// maxConcurrentRechecks limits the requests of rechecks: many deliveries may have been lost at once.
const maxConcurrentRechecks = 8

// A recheck requests one resource again: by its own address, or with many others by a poll of their list.
type recheck struct {
	via      lifecycle.Via // of the observation
	queued   time.Time     // an answer to a request that was sent before does not settle it
	next     time.Time     // when it is due
	tries    int           // how often it was repeated
	running  bool
	deferred bool // added by addDeferred; one that is due at once replaces it
	means    recheckMeans
}

// recheckMeans are the means by which a recheck may be done. One that the first does not settle proceeds to the next.
type recheckMeans uint8

const (
	byDelta   recheckMeans = iota // the next delta sweep of its list, a full sweep, or its own address
	bySweep                       // the next full sweep of its list, or its own address
	byAddress                     // its own address only
)

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
func (q *recheckQueue) add(key lifecycle.Key, via lifecycle.Via) { q.addBy(key, via, byDelta) }

// addByAddress queues a recheck that is due at once and that no list can answer.
func (q *recheckQueue) addByAddress(key lifecycle.Key) { q.addBy(key, lifecycle.Poll, byAddress) }

func (q *recheckQueue) addBy(key lifecycle.Key, via lifecycle.Via, means recheckMeans) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.byKey[key]
	if r != nil && (r.running || !r.deferred) {
		r.means = max(r.means, means)
		return
	}
	now := time.Now()
	q.byKey[key] = &recheck{via: via, queued: now, next: now, means: means}
	q.wakeScheduler()
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
	r.queued = time.Now()
	r.next = r.queued.Add(q.intervals.active << (r.tries - 1))
}

// addDeferred queues a recheck of a resource that is recorded as Deleted and that MK.IO shows. It is due in staysEnded: before
// that the response may come from a replica that lags behind; after it the resource exists. It replaces no recheck that is due
// earlier.
func (q *recheckQueue) addDeferred(key lifecycle.Key, staysEnded time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r := q.byKey[key]; staysEnded > 0 && (r == nil || r.running || r.deferred) {
		now := time.Now()
		q.byKey[key] = &recheck{via: lifecycle.Poll, queued: now, next: now.Add(max(staysEnded, q.intervals.active)), deferred: true, means: byAddress}
	}
}

// due returns the rechecks that are due, and when the next one is. Those that run are not among them.
func (q *recheckQueue) due(now time.Time) (due map[lifecycle.Key]recheckMeans, next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	due, next = map[lifecycle.Key]recheckMeans{}, now.Add(q.intervals.active)
	for key, r := range q.byKey {
		switch {
		case r.running: // its end wakes the scheduler
		case now.Before(r.next):
			next = earliest(next, r.next)
		default:
			due[key] = r.means
		}
	}
	return due, next
}

// take marks rechecks as running and returns them, as many of the given ones as may run concurrently. The caller must pass each
// to done, failed or abort.
func (q *recheckQueue) take(keys []lifecycle.Key) map[lifecycle.Key]recheck {
	q.mu.Lock()
	defer q.mu.Unlock()
	free := maxConcurrentRechecks
	for _, r := range q.byKey {
		if r.running {
			free--
		}
	}
	taken := map[lifecycle.Key]recheck{}
	for _, key := range keys[:min(len(keys), max(free, 0))] { // one that ends wakes the scheduler
		if r := q.byKey[key]; r != nil && !r.running {
			r.running = true
			taken[key] = *r
		}
	}
	return taken
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

// answered removes the recheck of a resource that a response showed, whatever the request was made for. sent is when that was.
func (q *recheckQueue) answered(key lifecycle.Key, sent time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r := q.byKey[key]; r != nil && !r.running && r.queued.Before(sent) {
		delete(q.byKey, key)
	}
}

// via returns the source of an observation by a request that was sent at the given time: that of the recheck which it answers,
// or else the given one.
func (q *recheckQueue) via(key lifecycle.Key, via lifecycle.Via, sent time.Time) lifecycle.Via {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r := q.byKey[key]; r != nil && !r.queued.After(sent) {
		return r.via
	}
	return via
}

// listPolled is called when a poll of a list has ended that began at the given time. The rechecks that it could have answered and
// did not proceed to the next means. A complete sweep has covered all of them.
func (q *recheckQueue) listPolled(l *list, mode pollMode, began time.Time, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for key, r := range q.byKey {
		if r.running || !r.queued.Before(began) || !l.has(key) {
			continue
		}
		switch {
		case mode == modeDelta && r.means == byDelta:
			r.means = bySweep
		case mode == modeFull && r.means != byAddress && err == nil:
			delete(q.byKey, key)
		case mode == modeFull:
			r.means = byAddress
		}
	}
}
