package poll

import (
	"slices"
	"sync"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// A pollMode is one of the three ways to poll a list. Its string is in logs and in the names of spans.
type pollMode uint8

const (
	modeActive pollMode = iota // active poll: the resources in motion
	modeDelta                  // delta sweep: what changed since the last one
	modeFull                   // full sweep: every resource
	pollModes                  // how many modes there are
)

func (m pollMode) String() string { return [...]string{"active", "delta", "full"}[m] }

// A list is a list of MK.IO, with its schedule and its progress. Each of the two has its own lock.
type list struct {
	mkio.List
	schedule schedule
	progress progress

	check  time.Time // see dueLists
	queued int       // its place in dueLists, from 1; 0: it is not there
}

// hasParent reports whether the resources of the list lie below a parent.
func (l *list) hasParent() bool { return l.Parent != lifecycle.Key{} }

// has reports whether a resource belongs to the list.
func (l *list) has(key lifecycle.Key) bool {
	parent, _ := mkio.ParentOf(key)
	return parent == l.Parent && slices.Contains(l.Kinds, key.Kind)
}

// containsParentsOf reports whether resources of a kind lie below those of the list.
func (l *list) containsParentsOf(child lifecycle.Kind) bool {
	return !l.hasParent() && slices.Contains(mkio.ChildKinds(l.Kinds), child)
}

// sweepFinished notes a full sweep that reached the end of the list, and schedules the next sweeps.
func (l *list) sweepFinished(done completedSweep, iv intervals) {
	changed := l.progress.finish(done)
	l.schedule.sweepFinished(changed, l.Kinds[0] == lifecycle.ScheduledOperation, iv, time.Now())
}

// reset forgets all comparisons, so that the list is swept at once.
func (l *list) reset() {
	l.schedule.reset()
	l.progress.reset()
}

// A schedule says when the next poll of a list is due in each mode, and how the last ones ended. mu guards it; nothing is called
// under it.
type schedule struct {
	mu sync.Mutex
	dueTimes
	began      [pollModes]time.Time // the poll under way, or the last one
	failures   [pollModes]int       // in a row
	warned     time.Time            // the last warning about resources of the list that cannot be read
	idleSweeps int                  // sweeps in a row that found no change
	sweepAgain bool                 // the list is to be swept once more after the sweep under way
	retired    bool                 // the list's parent is gone: no poll starts any more
}

// dueTimes say, for each mode, when the next poll is due and whether one is under way.
type dueTimes struct {
	next    [pollModes]time.Time
	running [pollModes]bool
}

func (s *schedule) due() dueTimes {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dueTimes
}

// begin notes that a poll starts, and returns false where it must not: the schedule is retired.
func (s *schedule) begin(m pollMode) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retired {
		return false
	}
	s.running[m], s.began[m] = true, time.Now()
	return true
}

// failing reports whether the last poll in a mode failed.
func (s *schedule) failing(m pollMode) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failures[m] > 0
}

// runningSince returns when the poll in a mode began that is under way; false where there is none.
func (s *schedule) runningSince(m pollMode) (began time.Time, running bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.began[m], s.running[m]
}

// retire ends the schedule, unless a poll is under way, and reports whether it did.
func (s *schedule) retire() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired = s.running == [pollModes]bool{}
	return s.retired
}

// abort notes that a poll was canceled before it had a result.
func (s *schedule) abort(m pollMode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[m] = false
}

// succeed notes that a poll succeeded, and returns how often in a row the mode had failed before.
func (s *schedule) succeed(m pollMode, now time.Time, iv intervals) (failures int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[m] = false
	failures, s.failures[m] = s.failures[m], 0
	s.next[modeActive] = time.Time{} // each motion has its own due time
	if m == modeDelta {
		s.next[modeDelta] = now.Add(iv.sweep)
	}
	return failures
}

// fail notes that a poll failed, and returns how often in a row it did and the backoff.
func (s *schedule) fail(m pollMode, now time.Time) (failures int, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[m] = false
	s.failures[m]++
	wait = backoff(s.failures[m])
	s.next[m] = now.Add(wait)
	if m == modeFull { // the full sweep of a short list is its delta sweep too
		s.next[modeDelta] = latest(s.next[modeDelta], s.next[m])
	}
	return s.failures[m], wait
}

// sweepFinished schedules the sweeps that follow a complete one. A quiet list, on which changes are rare, is swept less and less
// often, down to once every Full, while its sweeps find nothing.
func (s *schedule) sweepFinished(changed, quiet bool, iv intervals, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idleSweeps++; changed {
		s.idleSweeps = 0
	}
	s.next[modeFull] = now.Add(iv.full)
	if s.sweepAgain {
		s.next[modeFull], s.sweepAgain = now, false
	}
	s.next[modeDelta] = now.Add(iv.sweep)
	if quiet {
		s.next[modeDelta] = now.Add(min(iv.sweep<<min(s.idleSweeps, 10), iv.full))
	}
}

// bringForward has the next poll in a mode due no later than at.
func (s *schedule) bringForward(m pollMode, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next[m] = earliest(s.next[m], at)
}

// resumeDeltas has the next delta sweep due no later than at, and ends the slowing down of a quiet list.
func (s *schedule) resumeDeltas(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idleSweeps = 0
	s.next[modeDelta] = earliest(s.next[modeDelta], at)
}

// sweepNow has the list swept in full at once, and once more where a sweep is under way.
func (s *schedule) sweepNow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next[modeFull], s.sweepAgain = time.Time{}, s.running[modeFull]
}

// shouldWarn returns true once in every period. It limits the warnings about resources of the list that cannot be read.
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

// A progress says how far a list has been compared with the log. mu guards it; nothing is called under it.
type progress struct {
	mu        sync.Mutex
	deltaBase time.Time      // on MK.IO's clock: the next delta sweep starts here, minus an overlap; zero: none can start yet
	pages     int            // of the last delta sweep
	completed completedSweep // the last full sweep that reached the end of the list
	firstTry  *uint64        // the log's horizon when the next full sweep was first tried; nil: it was not tried yet
	changed   bool           // an event of a resource on the list was recorded since the last full sweep began
	tally     *tally         // of the last full sweep that compared everything; nil: there was none
}

// A completedSweep is a full sweep that reached the end of its list.
type completedSweep struct {
	began      time.Time // on MK.IO's clock; zero: there was no such sweep
	localBegan time.Time // the same instant on the local clock
	horizon    uint64    // of the log when it began
}

// begin notes that a full sweep begins, and the log's horizon at that time.
func (p *progress) begin(horizon uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed = false
	if p.firstTry == nil {
		p.firstTry = &horizon
	}
}

// firstTryHorizon returns the log's horizon when the sweep under way was first tried; the given one if that is not known.
func (p *progress) firstTryHorizon(horizon uint64) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.firstTry == nil {
		return horizon
	}
	return *p.firstTry
}

// finish notes a full sweep that reached the end of the list. It reports whether an event was recorded since the sweep began.
func (p *progress) finish(done completedSweep) (changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.completed, p.deltaBase, p.firstTry = done, done.began, nil
	return p.changed
}

// lastSweep returns the last full sweep that reached the end of the list.
func (p *progress) lastSweep() completedSweep {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.completed
}

// noteChange notes that an event of a resource on the list was recorded.
func (p *progress) noteChange() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed = true
}

// deltaSince returns the instant, on MK.IO's clock, from which the next delta sweep starts; zero: none can start yet.
func (p *progress) deltaSince() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.deltaBase
}

// startDeltas makes delta sweeps possible while the first full sweep is still under way.
func (p *progress) startDeltas(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deltaBase.IsZero() {
		p.deltaBase = at
	}
}

// noteDeltaPages notes how many pages a delta sweep has read.
func (p *progress) noteDeltaPages(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pages = n
}

// lastDeltaPages returns how many pages the last delta sweep has read.
func (p *progress) lastDeltaPages() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pages
}

// advanceDelta moves the start of the next delta sweep to base. It reports whether that goes back: then MK.IO's clock was set
// back.
func (p *progress) advanceDelta(base time.Time) (setBack bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	setBack = base.Add(minOverlap).Before(p.deltaBase)
	p.deltaBase = base
	return setBack
}

// setTally notes what the last full sweep compared.
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
