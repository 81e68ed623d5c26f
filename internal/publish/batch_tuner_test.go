package publish

import (
	"testing"
	"time"
)

// A fakeStorage stores writes one after the other, and writes of a batch together. Each acknowledged writer writes again at
// once.
type fakeStorage struct {
	now           time.Time
	tuner         batchTuner
	writes        []storedWrite // in flight, the oldest first
	single, batch time.Duration // for a write
	inBatches     int           // writes that were stored in batches
	count         int
}

type storedWrite struct {
	timedWrite
	batch bool
}

func newStorage(inFlight int) *fakeStorage {
	s := &fakeStorage{now: time.Date(2031, 3, 4, 10, 0, 0, 0, time.UTC)}
	for range inFlight {
		s.begin()
	}
	return s
}

func (s *fakeStorage) begin() {
	timed, batch := s.tuner.begin(s.now)
	s.writes = append(s.writes, storedWrite{timed, batch})
}

// run stores for a duration, and returns the share of writes that came in batches.
func (s *fakeStorage) run(single, batch, during time.Duration) float64 {
	s.single, s.batch, s.inBatches, s.count = single, batch, 0, 0
	for end := s.now.Add(during); s.now.Before(end); {
		s.store()
	}
	return float64(s.inBatches) / float64(s.count)
}

// store acknowledges the oldest write, with all that form a batch with it.
func (s *fakeStorage) store() {
	n := 1
	for n < len(s.writes) && s.writes[0].batch && s.writes[n].batch {
		n++
	}
	each := s.single
	if n >= minBatch {
		each = s.batch
		s.inBatches += n
	}
	s.count += n
	stored := s.writes[:n:n]
	s.writes = s.writes[n:]
	s.now = s.now.Add(each * time.Duration(n))
	for _, w := range stored {
		s.tuner.end(w.timedWrite, s.now, true)
	}
	for range stored {
		s.begin()
	}
}

func TestBatchTunerFindsTheFasterMode(t *testing.T) {
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
		{"a sync for each message, and batches that conflict with another bridge's writes", 64, 240 * us, 300 * us, 0, 0.1},
		{"no syncs, and few more than a batch has", 20, 30 * us, 60 * us, 0, 0.05},
		{"few writes at a time", minBatch - 1, 240 * us, 80 * us, 0, 0},
	} {
		s := newStorage(test.inFlight)
		s.run(test.single, test.batch, 2*minMeasureTime) // until both modes were timed
		if got := s.run(test.single, test.batch, time.Minute); got < test.least || got > test.most {
			t.Errorf("%s: %.3f of the writes came in batches", test.name, got)
		}
	}
}

// A server may start to sync each message, and stop.
func TestBatchTunerAdaptsToTheServer(t *testing.T) {
	const us = time.Microsecond
	s := newStorage(64)
	for round := range 3 {
		s.run(30*us, 90*us, 3*minMeasureTime)
		if got := s.run(30*us, 90*us, 10*time.Second); got > 0.05 {
			t.Errorf("round %d: %.3f of the writes came in batches while single ones are faster", round, got)
		}
		s.run(240*us, 80*us, 3*minMeasureTime)
		if got := s.run(240*us, 80*us, 10*time.Second); got < 0.9 {
			t.Errorf("round %d: %.3f of the writes came in batches while they are faster", round, got)
		}
	}
}

// A failed write says nothing about the speed of a server.
func TestBatchTunerIgnoresFailures(t *testing.T) {
	var p batchTuner
	now := time.Now()
	for range 10 * minSamples {
		var writes []timedWrite
		for range minBatch {
			w, _ := p.begin(now)
			writes = append(writes, w)
		}
		now = now.Add(time.Second)
		for _, w := range writes {
			p.end(w, now, false)
		}
	}
	if p.samples > 0 || p.inTrial || p.inFlight != 0 {
		t.Errorf("after failures only the tuner is %+v", &p)
	}
}
