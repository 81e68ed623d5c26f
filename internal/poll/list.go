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
type pollMode uint8

const (
	modeActive pollMode = iota // active poll: at its resources in motion
	modeDelta                  // delta sweep: what changed
	modeFull                   // full sweep: all of it
	pollModes                  // how many there are
)

func (e pollMode) String() string { return [...]string{"look", "changes", "sweep"}[e] }

// A list is one list of MK.IO's, with its schedule and its progress, each of which guards itself.
type list struct {
	mkio.List
	schedule schedule
	progress progress
}

// below says whether the list is one of what lies below a parent.
func (l *list) hasParent() bool { return l.Parent != lifecycle.Key{} }

// has says whether a resource lies on the list.
func (l *list) has(key lifecycle.Key) bool {
	parent, _ := mkio.ParentOf(key)
	return parent == l.Parent && slices.Contains(l.Kinds, key.Kind)
}

// hasParentsOf says whether resources of a kind lie below those of the list.
func (l *list) containsParentsOf(child lifecycle.Kind) bool {
	return slices.Contains(mkio.ChildKinds(l.Kinds), child)
}

// finish notes a sweep that got to its end, and says when the next is due.
func (l *list) sweepFinished(done completedSweep, p intervals) {
	changed := l.progress.finish(done)
	l.schedule.sweepFinished(changed, l.Kinds[0] == lifecycle.ScheduledOperation, p, time.Now())
}

// forget has the list compared anew.
func (l *list) reset() {
	l.schedule.reset()
	l.progress.reset()
}

// A schedule is when each errand of a list is due, and how the last ones ended. mu guards it; nothing is called under it.
type schedule struct {
	mu sync.Mutex
	dueTimes
	failures   [pollModes]int // in a row
	warned     time.Time      // when it was last said that resources of the list cannot be read
	idleSweeps int            // sweeps in a row that found nothing new
	sweepAgain bool           // the list is to be swept once more when the sweep under way is over
	retired    bool           // the list is no more: nothing begins
}

// dueTimes are what the scheduler goes by.
type dueTimes struct {
	next    [pollModes]time.Time
	running [pollModes]bool
}

func (s *schedule) due() dueTimes {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dueTimes
}

// begin notes that an errand is under way, and says whether it may be.
func (s *schedule) begin(e pollMode) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retired {
		return false
	}
	s.running[e] = true
	return true
}

// drop ends the schedule, unless an errand is under way.
func (s *schedule) retire() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired = s.running == [pollModes]bool{}
	return s.retired
}

// abort notes that an errand was ended before it had a result.
func (s *schedule) abort(e pollMode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[e] = false
}

// succeed notes that an errand had success, and returns how often it had failed before.
func (s *schedule) succeed(e pollMode, now time.Time, p intervals) (failures int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[e] = false
	failures, s.failures[e] = s.failures[e], 0
	s.next[modeActive] = time.Time{} // its resources say when
	if e == modeDelta {
		s.next[modeDelta] = now.Add(p.sweep)
	}
	return failures
}

// fail notes that an errand failed, and returns how often it did in a row and in what time it is due again.
func (s *schedule) fail(e pollMode, now time.Time) (failures int, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[e] = false
	s.failures[e]++
	wait = backoff(s.failures[e])
	s.next[e] = now.Add(wait)
	if e == modeFull { // a full sweep of a short list is its delta sweep too
		s.next[modeDelta] = latest(s.next[modeDelta], s.next[e])
	}
	return s.failures[e], wait
}

// finish says when the next sweep is due after one that got to its end. A quiet list, on which changes are rare, is asked for
// less and less often while its sweeps find nothing.
func (s *schedule) sweepFinished(changed, quiet bool, p intervals, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idleSweeps++; changed {
		s.idleSweeps = 0
	}
	s.next[modeFull] = now.Add(p.full)
	if s.sweepAgain {
		s.next[modeFull], s.sweepAgain = now, false
	}
	s.next[modeDelta] = now.Add(p.sweep)
	if quiet {
		s.next[modeDelta] = now.Add(min(p.sweep<<min(s.idleSweeps, 10), p.full))
	}
}

// soon brings an errand forward.
func (s *schedule) bringForward(e pollMode, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next[e] = earliest(s.next[e], at)
}

// awaken brings the delta sweep of a list forward, and asks for a quiet list as often as for others again.
func (s *schedule) resumeDeltas(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idleSweeps = 0
	s.next[modeDelta] = earliest(s.next[modeDelta], at)
}

// sweepAgain has the list swept at once, or again where it is being swept.
func (s *schedule) sweepNow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next[modeFull], s.sweepAgain = time.Time{}, s.running[modeFull]
}

// mayWarn says whether it is to be said that resources of the list cannot be read: once in so long.
func (s *schedule) shouldWarn(now time.Time, every time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.warned) < every {
		return false
	}
	s.warned = now
	return true
}

func (s *schedule) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = [pollModes]time.Time{}
}

// A progress is what of a list was compared. mu guards it; nothing is called under it.
type progress struct {
	mu        sync.Mutex
	deltaBase time.Time      // on MK.IO's clock: up to here changes were asked for; zero: they cannot be yet
	completed completedSweep // the last sweep that got to its end
	firstTry  *uint64        // the log's horizon when the next sweep was first tried; nil: it was not yet
	changed   bool           // something on the list was recorded since its last sweep began
	tally     *tally         // of the last sweep that compared everything; nil: there was none
}

// swept is a sweep that got to its end.
type completedSweep struct {
	began      time.Time // when it began, on MK.IO's clock; zero: there was none
	localBegan time.Time // the same, on ours
	horizon    uint64    // the log's, when it began
}

// begin notes that a sweep begins, and the log's horizon then.
func (p *progress) begin(horizon uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed = false
	if p.firstTry == nil {
		p.firstTry = &horizon
	}
}

// triedSince is the log's horizon when the sweep under way was first tried, or the given horizon if that is not known.
func (p *progress) firstTryHorizon(horizon uint64) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.firstTry == nil {
		return horizon
	}
	return *p.firstTry
}

// finish notes a sweep that got to its end, and says whether something on the list was recorded since it began.
func (p *progress) finish(done completedSweep) (changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.completed, p.deltaBase, p.firstTry = done, done.began, nil
	return p.changed
}

// last is the last sweep that got to its end.
func (p *progress) lastSweep() completedSweep {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.completed
}

// noteChange says that the list had news.
func (p *progress) noteChange() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed = true
}

// since is up to when changes were asked for; zero where they cannot be yet.
func (p *progress) deltaSince() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.deltaBase
}

// sinceAtLeast has changes asked for from a time on, where they cannot be yet: while the first sweep goes on.
func (p *progress) startDeltas(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deltaBase.IsZero() {
		p.deltaBase = at
	}
}

// askedUpTo notes up to when changes were asked for, and says whether that is earlier than before: then MK.IO's clock was
// set back.
func (p *progress) advanceDelta(base time.Time) (setBack bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	setBack = base.Add(minOverlap).Before(p.deltaBase)
	p.deltaBase = base
	return setBack
}

// prove notes what the last sweep compared, proven returns it.
func (p *progress) setTally(t *tally) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally = t
}

func (p *progress) lastTally() *tally {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tally
}

func (p *progress) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deltaBase, p.completed, p.tally, p.firstTry = time.Time{}, completedSweep{}, nil, nil
}
