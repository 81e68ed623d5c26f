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
const recentEvents = 1 << 13

// recent remembers the latest events of the log by their sequence: each has a place that the events recentEvents before
// and behind it share. An event never changes, so what is remembered is true; what is not is read.
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

// forget empties the memory: another log has other events at the same places.
func (r *recent) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.events)
}
