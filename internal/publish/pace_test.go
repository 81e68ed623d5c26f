package publish

import (
	"testing"
	"time"
)

// A storage takes writes one after the other, and writes of a batch together. Whoever is answered writes again at once.
type storage struct {
	now           time.Time
	pace          pace
	writes        []storedWrite // in flight, the oldest first
	single, batch time.Duration // for a write
	batched       int           // writes that were stored in batches
	count         int
}

type storedWrite struct {
	timedWrite
	batch bool
}

func newStorage(inFlight int) *storage {
	s := &storage{now: time.Date(2031, 3, 4, 10, 0, 0, 0, time.UTC)}
	for range inFlight {
		s.begin()
	}
	return s
}

func (s *storage) begin() {
	timed, batch := s.pace.begin(s.now)
	s.writes = append(s.writes, storedWrite{timed, batch})
}

// run stores for so long, and returns the share of writes that came in batches.
func (s *storage) run(single, batch, during time.Duration) float64 {
	s.single, s.batch, s.batched, s.count = single, batch, 0, 0
	for end := s.now.Add(during); s.now.Before(end); {
		s.store()
	}
	return float64(s.batched) / float64(s.count)
}

// store answers the oldest write, with all that go in a batch with it.
func (s *storage) store() {
	n := 1
	for n < len(s.writes) && s.writes[0].batch && s.writes[n].batch {
		n++
	}
	each := s.single
	if n >= leastBatch {
		each = s.batch
		s.batched += n
	}
	s.count += n
	answered := s.writes[:n:n]
	s.writes = s.writes[n:]
	s.now = s.now.Add(each * time.Duration(n))
	for _, w := range answered {
		s.pace.end(w.timedWrite, s.now, true)
	}
	for range answered {
		s.begin()
	}
}

func TestPaceFindsOutWhatIsFaster(t *testing.T) {
	const us = time.Microsecond
	for _, test := range []struct {
		name          string
		inFlight      int
		single, batch time.Duration // for a write
		least, most   float64       // share of batches
	}{
		{"a sync for each message", 64, 240 * us, 80 * us, 0.9, 1},
		{"a sync for each message, and more at a time", 250, 240 * us, 40 * us, 0.9, 1},
		{"a sync for each message, and hardly enough", 20, 240 * us, 120 * us, 0.9, 1},
		{"no syncs", 64, 30 * us, 90 * us, 0, 0.05},
		{"no syncs, on a machine that is busy", 64, 200 * us, 400 * us, 0, 0.1},
		{"a sync for each message, and batches that are refused, of what another bridge was told as well", 64, 240 * us, 300 * us, 0, 0.1},
		{"no syncs, and few more than a batch has", 20, 30 * us, 60 * us, 0, 0.05},
		{"few writes at a time", leastBatch - 1, 240 * us, 80 * us, 0, 0},
	} {
		s := newStorage(test.inFlight)
		s.run(test.single, test.batch, 2*usualTime) // until it has tried both
		if got := s.run(test.single, test.batch, time.Minute); got < test.least || got > test.most {
			t.Errorf("%s: %.3f of the writes came in batches", test.name, got)
		}
	}
}

// A server may begin to sync each message, and end it.
func TestPaceFollowsTheServer(t *testing.T) {
	const us = time.Microsecond
	s := newStorage(64)
	for round := range 3 {
		s.run(30*us, 90*us, 3*usualTime)
		if got := s.run(30*us, 90*us, 10*time.Second); got > 0.05 {
			t.Errorf("round %d: %.3f of the writes came in batches while single ones are faster", round, got)
		}
		s.run(240*us, 80*us, 3*usualTime)
		if got := s.run(240*us, 80*us, 10*time.Second); got < 0.9 {
			t.Errorf("round %d: %.3f of the writes came in batches while they are faster", round, got)
		}
	}
}

// What failed says nothing of how fast a server is.
func TestPaceCountsNoFailures(t *testing.T) {
	var p pace
	now := time.Now()
	for range 10 * tried {
		var writes []timedWrite
		for range leastBatch {
			w, _ := p.begin(now)
			writes = append(writes, w)
		}
		now = now.Add(time.Second)
		for _, w := range writes {
			p.end(w, now, false)
		}
	}
	if p.counted > 0 || p.trying || p.inFlight != 0 {
		t.Errorf("after failures alone the pace is %+v", &p)
	}
}
