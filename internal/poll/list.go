package poll

import (
	"slices"
	"sync"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// An errand is one of the three ways to ask for a list: an active poll, a delta sweep or a full sweep. Its string is in logs
// and names of spans.
type errand uint8

const (
	looking  errand = iota // active poll: at its resources in motion
	changes                // delta sweep: what changed
	sweeping               // full sweep: all of it
	errands                // how many there are
)

func (e errand) String() string { return [...]string{"look", "changes", "sweep"}[e] }

// A list is one list of MK.IO's, with its schedule and its progress, each of which guards itself.
type list struct {
	mkio.List
	schedule schedule
	progress progress
}

// below says whether the list is one of what lies below a parent.
func (l *list) below() bool { return l.Parent != lifecycle.Key{} }

// has says whether a resource lies on the list.
func (l *list) has(key lifecycle.Key) bool {
	parent, _ := mkio.ParentOf(key)
	return parent == l.Parent && slices.Contains(l.Kinds, key.Kind)
}

// hasParentsOf says whether resources of a kind lie below those of the list.
func (l *list) hasParentsOf(child lifecycle.Kind) bool {
	return slices.Contains(mkio.ChildKinds(l.Kinds), child)
}

// finish notes a sweep that got to its end, and says when the next is due.
func (l *list) finish(done swept, p pace) {
	changed := l.progress.finish(done)
	l.schedule.finish(changed, l.Kinds[0] == lifecycle.ScheduledOperation, p, time.Now())
}

// forget has the list compared anew.
func (l *list) forget() {
	l.schedule.forget()
	l.progress.forget()
}

// A schedule is when each errand of a list is due, and how the last ones ended. mu guards it; nothing is called under it.
type schedule struct {
	mu sync.Mutex
	dueTimes
	failures [errands]int // in a row
	warned   time.Time    // when it was last said that resources of the list cannot be read
	idle     int          // sweeps in a row that found nothing new
	again    bool         // the list is to be swept once more when the sweep under way is over
	dropped  bool         // the list is no more: nothing begins
}

// dueTimes are what the scheduler goes by.
type dueTimes struct {
	next [errands]time.Time
	busy [errands]bool
}

func (s *schedule) due() dueTimes {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dueTimes
}

// begin notes that an errand is under way, and says whether it may be.
func (s *schedule) begin(e errand) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped {
		return false
	}
	s.busy[e] = true
	return true
}

// drop ends the schedule, unless an errand is under way.
func (s *schedule) drop() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropped = s.busy == [errands]bool{}
	return s.dropped
}

// abort notes that an errand was ended before it had a result.
func (s *schedule) abort(e errand) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy[e] = false
}

// succeed notes that an errand had success, and returns how often it had failed before.
func (s *schedule) succeed(e errand, now time.Time, p pace) (failures int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy[e] = false
	failures, s.failures[e] = s.failures[e], 0
	s.next[looking] = time.Time{} // its resources say when
	if e == changes {
		s.next[changes] = now.Add(p.sweep)
	}
	return failures
}

// fail notes that an errand failed, and returns how often it did in a row and in what time it is due again.
func (s *schedule) fail(e errand, now time.Time) (failures int, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy[e] = false
	s.failures[e]++
	wait = retryAfter(s.failures[e])
	s.next[e] = now.Add(wait)
	if e == sweeping { // a full sweep of a short list is its delta sweep too
		s.next[changes] = later(s.next[changes], s.next[e])
	}
	return s.failures[e], wait
}

// finish says when the next sweep is due after one that got to its end. A quiet list, on which changes are rare, is asked for
// less and less often while its sweeps find nothing.
func (s *schedule) finish(changed, quiet bool, p pace, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idle++; changed {
		s.idle = 0
	}
	s.next[sweeping] = now.Add(p.full)
	if s.again {
		s.next[sweeping], s.again = now, false
	}
	s.next[changes] = now.Add(p.sweep)
	if quiet {
		s.next[changes] = now.Add(min(p.sweep<<min(s.idle, 10), p.full))
	}
}

// soon brings an errand forward.
func (s *schedule) soon(e errand, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next[e] = earlier(s.next[e], at)
}

// awaken brings the delta sweep of a list forward, and asks for a quiet list as often as for others again.
func (s *schedule) awaken(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = 0
	s.next[changes] = earlier(s.next[changes], at)
}

// sweepAgain has the list swept at once, or again where it is being swept.
func (s *schedule) sweepAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next[sweeping], s.again = time.Time{}, s.busy[sweeping]
}

// mayWarn says whether it is to be said that resources of the list cannot be read: once in so long.
func (s *schedule) mayWarn(now time.Time, every time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.warned) < every {
		return false
	}
	s.warned = now
	return true
}

func (s *schedule) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = [errands]time.Time{}
}

// A progress is what of a list was compared. mu guards it; nothing is called under it.
type progress struct {
	mu      sync.Mutex
	base    time.Time // on MK.IO's clock: up to here changes were asked for; zero: they cannot be yet
	swept   swept     // the last sweep that got to its end
	tried   *uint64   // the log's horizon when the next sweep was first tried; nil: it was not yet
	changed bool      // something on the list was recorded since its last sweep began
	proof   *tally    // of the last sweep that compared everything; nil: there was none
}

// swept is a sweep that got to its end.
type swept struct {
	at      time.Time // when it began, on MK.IO's clock; zero: there was none
	local   time.Time // the same, on ours
	horizon uint64    // the log's, when it began
}

// begin notes that a sweep begins, and the log's horizon then.
func (p *progress) begin(horizon uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed = false
	if p.tried == nil {
		p.tried = &horizon
	}
}

// triedSince is the log's horizon when the sweep under way was first tried, or the given horizon if that is not known.
func (p *progress) triedSince(horizon uint64) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tried == nil {
		return horizon
	}
	return *p.tried
}

// finish notes a sweep that got to its end, and says whether something on the list was recorded since it began.
func (p *progress) finish(done swept) (changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swept, p.base, p.tried = done, done.at, nil
	return p.changed
}

// last is the last sweep that got to its end.
func (p *progress) last() swept {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.swept
}

// noteChange says that the list had news.
func (p *progress) noteChange() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed = true
}

// since is up to when changes were asked for; zero where they cannot be yet.
func (p *progress) since() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.base
}

// sinceAtLeast has changes asked for from a time on, where they cannot be yet: while the first sweep goes on.
func (p *progress) sinceAtLeast(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.base.IsZero() {
		p.base = at
	}
}

// askedUpTo notes up to when changes were asked for, and says whether that is earlier than before: then MK.IO's clock was
// set back.
func (p *progress) askedUpTo(base time.Time) (setBack bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	setBack = base.Add(leastOverlap).Before(p.base)
	p.base = base
	return setBack
}

// prove notes what the last sweep compared, proven returns it.
func (p *progress) prove(t *tally) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proof = t
}

func (p *progress) proven() *tally {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.proof
}

func (p *progress) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.base, p.swept, p.proof, p.tried = time.Time{}, swept{}, nil, nil
}
