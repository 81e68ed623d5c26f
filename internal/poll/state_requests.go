package poll

import (
	"sync"

	"mkio-bridge/internal/lifecycle"
)

// stateRequests are the resources whose state is being requested because a list showed them, by any poll of the project. Two polls
// that list the same new resources, such as the first sweep and a delta sweep beside it, request each state once.
//
// mu guards waiting; nothing is called under it.
type stateRequests struct {
	mu      sync.Mutex
	waiting map[lifecycle.Key]int // how many requests of a resource were begun and not ended
}

func newStateRequests() *stateRequests { return &stateRequests{waiting: map[lifecycle.Key]int{}} }

// begin notes a request, and reports whether it is the only one of the resource. The caller must call end.
func (s *stateRequests) begin(key lifecycle.Key) (only bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[key]++
	return s.waiting[key] == 1
}

func (s *stateRequests) end(key lifecycle.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[key]--; s.waiting[key] == 0 {
		delete(s.waiting, key)
	}
}
