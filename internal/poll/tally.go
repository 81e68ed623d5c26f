package poll

import (
	"sync"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A tally counts what a sweep of a list compared. A nil one counts nothing.
type tally struct {
	comparison

	mu      sync.Mutex
	counts  map[lifecycle.Kind]counts
	failure error // why it did not compare everything, though it got to its end
}

// A span is when something was compared, and with what.
type comparison struct {
	from, to time.Time // on our clock, as are those of records
	horizon  uint64    // of the log when it began
	epoch    uint64    // of the log when it began
}

// counts are those of one kind.
type counts struct{ resources, rested, differed, repaired int }

func (c counts) plus(d counts) counts {
	return counts{c.resources + d.resources, c.rested + d.rested, c.differed + d.differed, c.repaired + d.repaired}
}

func newTally(log Log) *tally {
	epoch := log.Epoch() // before the horizon, which is then that of this log or of one behind it
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

// resources counts what MK.IO listed, or the log knew.
func (t *tally) addResources(kind lifecycle.Kind, n int) { t.add(kind, counts{resources: n}) }

// rests counts a resource whose state was not asked for again.
func (t *tally) addRested(kind lifecycle.Kind) { t.add(kind, counts{rested: 1}) }

// judged counts a resource by what became of the observation of it. A repeat is no difference to the log, though another bridge
// or a webhook may have recorded it while it was asked for.
func (t *tally) addVerdict(kind lifecycle.Kind, v lifecycle.Verdict) {
	if v.News() || v.Outcome == lifecycle.Late || v.Outcome == lifecycle.Conflict {
		t.addDifference(kind, v.News())
	}
}

// differs counts one that is not in MK.IO as it is in the log, and whether that was recorded.
func (t *tally) addDifference(kind lifecycle.Kind, repaired bool) {
	c := counts{differed: 1}
	if repaired {
		c.repaired = 1
	}
	t.add(kind, c)
}

// fail notes why not everything could be compared.
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
