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
func (p *batchTuner) begin(now time.Time) (w timedWrite, batch bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight++
	w = timedWrite{started: now, concurrent: p.inFlight, period: p.period, sampled: p.carriedOver == 0 && p.inFlight >= minBatch}
	if w.sampled && p.sampledSince.IsZero() {
		p.sampledSince = now
	}
	return w, p.batching != p.inTrial
}

// end registers the end of a write. The server stores one write after the other, so a write's cost is its time divided by
// the number of writes in flight.
func (p *batchTuner) end(w timedWrite, now time.Time, stored bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	switch {
	case w.period != p.period:
		p.carriedOver--
	case w.sampled && stored:
		p.samples++
		p.sampledTime += now.Sub(w.started) / time.Duration(w.concurrent)
		p.evaluate(now)
	}
}

// evaluate switches or keeps the mode once enough writes are sampled; the caller holds the lock.
func (p *batchTuner) evaluate(now time.Time) {
	if p.samples < minSamples || !p.inTrial && now.Sub(p.sampledSince) < minMeasureTime {
		return
	}
	cost := p.sampledTime / time.Duration(p.samples)
	switch {
	case !p.inTrial:
		p.currentCost = cost
		p.switchMode()
	case cost < p.currentCost: // the tried mode becomes the current one
		p.batching, p.inTrial = !p.batching, false
	default:
		p.switchMode()
	}
	p.sampledSince, p.samples, p.sampledTime = time.Time{}, 0, 0
}

// switchMode sends further writes in the other mode; the caller holds the lock.
func (p *batchTuner) switchMode() {
	p.inTrial = !p.inTrial
	p.period++
	p.carriedOver = p.inFlight
}
