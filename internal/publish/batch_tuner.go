package publish

import (
	"sync"
	"time"
)

// A batchTuner decides whether writes go in batches or as single messages. It measures, because a server does not say how it
// syncs: while many writes are in flight it times the current mode for a while, then tries the other mode with a few writes,
// and continues with the faster one.
type batchTuner struct {
	mu       sync.Mutex
	batching bool // batches are the current mode
	inTrial  bool // the other mode is being timed

	inFlight     int
	period       int           // the number of mode switches so far
	carriedOver  int           // writes in flight that began before the last switch
	sampledSince time.Time     // when the first sampled write of this period began
	samples      int           // sampled writes since then
	sampledTime  time.Duration // their cost together
	currentCost  time.Duration // of a write in the current mode, when it was last timed
}

const (
	minMeasureTime = 2 * time.Second // of the current mode, before the other is tried
	minSamples     = 128             // writes, for a comparison
)

// A timedWrite is a write in flight.
type timedWrite struct {
	started    time.Time
	concurrent int // writes in flight when it began, itself included
	period     int
	sampled    bool // its time counts
}

// begin registers the start of a write and returns whether it goes in a batch. It samples no write while few are in flight,
// because no batch forms then and the two modes do not differ.
func (t *batchTuner) begin(now time.Time) (w timedWrite, batch bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inFlight++
	w = timedWrite{started: now, concurrent: t.inFlight, period: t.period, sampled: t.carriedOver == 0 && t.inFlight >= minBatch}
	if w.sampled && t.sampledSince.IsZero() {
		t.sampledSince = now
	}
	return w, t.batching != t.inTrial
}

// end registers the end of a write. The server stores one write after the other, so a write's cost is its time divided by
// the number of writes in flight.
func (t *batchTuner) end(w timedWrite, now time.Time, stored bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inFlight--
	switch {
	case w.period != t.period:
		t.carriedOver--
	case w.sampled && stored:
		t.samples++
		t.sampledTime += now.Sub(w.started) / time.Duration(w.concurrent)
		t.evaluate(now)
	}
}

// evaluate switches or keeps the mode once enough writes are sampled; the caller holds the lock.
func (t *batchTuner) evaluate(now time.Time) {
	if t.samples < minSamples || !t.inTrial && now.Sub(t.sampledSince) < minMeasureTime {
		return
	}
	cost := t.sampledTime / time.Duration(t.samples)
	switch {
	case !t.inTrial:
		t.currentCost = cost
		t.switchMode()
	case cost < t.currentCost: // the tried mode becomes the current one
		t.batching, t.inTrial = !t.batching, false
	default:
		t.switchMode()
	}
	t.sampledSince, t.samples, t.sampledTime = time.Time{}, 0, 0
}

// switchMode sends further writes in the other mode; the caller holds the lock.
func (t *batchTuner) switchMode() {
	t.inTrial = !t.inTrial
	t.period++
	t.carriedOver = t.inFlight
}
