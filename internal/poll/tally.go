package poll

import (
	"sync"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A tally counts what a full sweep of a list compared. All methods of a nil *tally do nothing.
type tally struct {
	comparison

	mu      sync.Mutex
	counts  map[lifecycle.Kind]counts
	failure error // why a sweep that reached the end did not compare every resource; nil: it did
}

// A comparison is when a sweep compared MK.IO with the log, and which log.
type comparison struct {
	from, to time.Time // on the local clock
	horizon  uint64    // of the log when it began
	epoch    uint64    // of the log when it began
}

// counts are the counts of one kind, with the meaning that event.Coverage gives them.
type counts struct{ resources, rested, differed, repaired int }

func (c counts) plus(d counts) counts {
	return counts{c.resources + d.resources, c.rested + d.rested, c.differed + d.differed, c.repaired + d.repaired}
}

func newTally(log Log) *tally {
	epoch := log.Epoch() // read before the horizon: a log that is replaced in between is noticed by its epoch
	return &tally{comparison: comparison{horizon: log.Horizon(), epoch: epoch}, counts: map[lifecycle.Kind]counts{}}
}

func (t *tally) add(kind lifecycle.Kind, c counts) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[kind] = t.counts[kind].plus(c)
}

// addResources counts resources that MK.IO listed, or that the log has and the list lacks.
func (t *tally) addResources(kind lifecycle.Kind, n int) { t.add(kind, counts{resources: n}) }

// addRested counts a resource at rest, whose state was not requested again.
func (t *tally) addRested(kind lifecycle.Kind) { t.add(kind, counts{rested: 1}) }

// addVerdict counts a resource as different from the log if the verdict says so. A repeat is no difference, even if another
// writer recorded the state after the request.
func (t *tally) addVerdict(kind lifecycle.Kind, v lifecycle.Verdict) {
	if v.News() || v.Outcome == lifecycle.Late || v.Outcome == lifecycle.Conflict {
		t.addDifference(kind, v.News())
	}
}

// addDifference counts a resource whose state in MK.IO differs from the log's. repaired says that an event recorded it.
func (t *tally) addDifference(kind lifecycle.Kind, repaired bool) {
	c := counts{differed: 1}
	if repaired {
		c.repaired = 1
	}
	t.add(kind, c)
}

// noteFailure notes why the sweep did not compare every resource.
func (t *tally) noteFailure(err error) {
	if t == nil || err == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failure == nil {
		t.failure = err
	}
}
