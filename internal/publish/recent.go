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

// recentEvents is how many events recent holds: some megabytes.
const recentEvents = 1 << 13

// recent is a ring buffer of the latest events of the log, by their sequence. An event never changes, so a cached one is
// true; one that is not cached is read from the log.
type recent struct {
	mu     sync.RWMutex
	events []earlier
}

func newRecent() *recent { return &recent{events: make([]earlier, recentEvents)} }

func (r *recent) get(sequence uint64) (earlier, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	e := r.events[sequence%recentEvents]
	return e, e.fact.Sequence == sequence && sequence > 0
}

func (r *recent) put(e earlier) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events[e.fact.Sequence%recentEvents] = e
}

// forget empties the buffer: another log has other events at the same sequences.
func (r *recent) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.events)
}
