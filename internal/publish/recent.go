package publish

import (
	"sync"

	"mkio-bridge/internal/lifecycle"
)

// A loggedEvent is an event in the log, with the sequence of the resource's event before it (0: none).
type loggedEvent struct {
	resource string
	fact     lifecycle.Fact
	previous uint64
}

// recentSize is the capacity of recentEvents, in events: some megabytes.
const recentSize = 1 << 13

// recentEvents is a ring buffer of the latest events of the log, by sequence. Events never change, so a cached one is never
// stale.
type recentEvents struct {
	mu     sync.RWMutex
	events []loggedEvent
}

func newRecentEvents() *recentEvents { return &recentEvents{events: make([]loggedEvent, recentSize)} }

func (r *recentEvents) get(sequence uint64) (loggedEvent, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	e := r.events[sequence%recentSize]
	return e, e.fact.Sequence == sequence && sequence > 0
}

func (r *recentEvents) put(e loggedEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events[e.fact.Sequence%recentSize] = e
}

// reset empties the buffer, because a new log has other events at the same sequences.
func (r *recentEvents) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.events)
}
