package publish

import (
	"sync"

	"mkio-bridge/internal/lifecycle"
)

// An earlier is an event of a resource as it is in the log, and the sequence of the resource's event before it.
type earlier struct {
	resource string
	fact     lifecycle.Fact
	before   uint64
}

// recentEvents is how many events of the log are remembered for those who look back: some megabytes.
const recentEvents = 1 << 14

// recent remembers the latest events of the log by their sequence. An event never changes, so what is remembered
// is true; what is not is read.
type recent struct {
	mu     sync.RWMutex
	events map[uint64]earlier
	order  []uint64 // a ring of the sequences in events, in order of arrival
	next   int
}

func newRecent() *recent {
	return &recent{events: map[uint64]earlier{}, order: make([]uint64, recentEvents)}
}

func (r *recent) get(sequence uint64) (earlier, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	e, ok := r.events[sequence]
	return e, ok
}

func (r *recent) put(e earlier) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.events[e.fact.Sequence]; ok {
		return
	}
	delete(r.events, r.order[r.next])
	r.order[r.next] = e.fact.Sequence
	r.next = (r.next + 1) % len(r.order)
	r.events[e.fact.Sequence] = e
}

// forget empties the memory: another log has other events at the same places.
func (r *recent) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.events)
	clear(r.order)
}
