package notify

import (
	"strings"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/pause"
)

// laneOf returns the queue of an event: that of its resource or, if the rule groups, of its group.
func (r *Rule) laneOf(subject string, e event.Event) string {
	if r.Group != nil {
		switch r.Group.By {
		case ByRule:
			return ""
		case ByProject:
			return e.Data.Project
		case ByKind:
			return string(e.Data.Kind)
		}
	}
	_, unprefixed, _ := strings.Cut(subject, ".")
	return event.ResourceOf(unprefixed)
}

// enqueue appends an event to its queue, and starts the lane of a queue that was empty. The caller holds the lock.
func (s *session) enqueue(it *item) {
	it.queued = true
	name := it.lane
	queue, running := s.queues[name]
	if s.rule.Group != nil && len(queue) > 0 { // only the newest is sent
		queue[len(queue)-1].payload = nil
	}
	s.queues[name] = append(queue, it)
	if !running {
		s.lanes.Go(func() { s.runLane(name) })
	}
}

// runLane sends the events of a queue, one after the other, until it is empty or the session stops. Events of a group are
// sent together, and the next message waits.
func (s *session) runLane(name string) {
	for {
		batch := s.next(name)
		if batch == nil || !s.deliver(batch) {
			return
		}
		if s.rule.Group != nil && pause.For(s.stopping, time.Duration(s.rule.Group.Every)) != nil {
			return
		}
	}
}

// next removes the next events from a queue: one, or the whole queue of a group. It returns nil when the lane ends.
func (s *session) next(name string) []*item {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue := s.queues[name]
	if len(queue) == 0 || s.stopping.Err() != nil {
		delete(s.queues, name)
		return nil
	}
	n := 1
	if s.rule.Group != nil {
		n = len(queue)
	}
	s.queues[name] = queue[n:]
	return queue[:n:n]
}
