package publish

import (
	"sync"
	"time"
)

// A pace knows whether writes are faster in batches or each by itself. It is measured, for nothing tells how a server
// syncs: while many writes are in flight the faster way is timed for a while, then a few go the other way, and the faster
// of the two goes on.
type pace struct {
	mu       sync.Mutex
	batching bool // the faster way is in batches
	trying   bool // the other way is being timed

	inFlight int
	turn     int       // counts the changes between the two ways
	before   int       // writes in flight that began before the last change
	since    time.Time // the first write of this turn that counts
	counted  int       // since then
	took     time.Duration
	usual    time.Duration // what a write took the faster way
}

const (
	usualTime = 2 * time.Second // the faster way, before the other is tried
	tried     = 128             // writes that are enough to compare
)

// A timedWrite is a write in flight.
type timedWrite struct {
	began  time.Time
	beside int // so many were in flight, itself included
	turn   int
	counts bool
}

// begin notes a write that begins, and says whether it goes in a batch. Where few are in flight there are no batches, so
// that their time says nothing.
func (p *pace) begin(now time.Time) (w timedWrite, batch bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight++
	w = timedWrite{began: now, beside: p.inFlight, turn: p.turn, counts: p.before == 0 && p.inFlight >= leastBatch}
	if w.counts && p.since.IsZero() {
		p.since = now
	}
	return w, p.batching != p.trying
}

// end notes the end of a write. The server stores one write after the other, so it took its share of the time.
func (p *pace) end(w timedWrite, now time.Time, stored bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	switch {
	case w.turn != p.turn:
		p.before--
	case w.counts && stored:
		p.counted++
		p.took += now.Sub(w.began) / time.Duration(w.beside)
		p.choose(now)
	}
}

// choose changes to the other way when enough is known of this one; the caller holds the lock.
func (p *pace) choose(now time.Time) {
	if p.counted < tried || !p.trying && now.Sub(p.since) < usualTime {
		return
	}
	each := p.took / time.Duration(p.counted)
	switch {
	case !p.trying:
		p.usual = each
		p.change()
	case each < p.usual: // what was tried is usual from now on
		p.batching, p.trying = !p.batching, false
	default:
		p.change()
	}
	p.since, p.counted, p.took = time.Time{}, 0, 0
}

// change sends the writes to come the other way; the caller holds the lock.
func (p *pace) change() {
	p.trying = !p.trying
	p.turn++
	p.before = p.inFlight
}
