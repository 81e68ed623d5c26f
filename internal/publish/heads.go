package publish

import (
	"strings"
	"sync"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// A place is where a resource stands: its last event (nil: none is known) and the sequence that the
// log will hold for its subjects. They differ when the event has aged out of the log and only the
// state bucket still has it: then 0 is expected.
type place struct {
	fact   *lifecycle.Fact
	expect uint64
	again  time.Time // MK.IO's latest time at which the event's state was told once more; it is not in the log
}

// asTold is the last event with the latest time at which its state was told: what is older than that is late.
func (at place) asTold() *lifecycle.Fact {
	if at.fact == nil || !at.again.After(at.fact.At) {
		return at.fact
	}
	fact := *at.fact
	fact.At = at.again
	return &fact
}

// decide is the one comparison of an observation with a recorded state.
func (at place) decide(o lifecycle.Observation) lifecycle.Verdict {
	return lifecycle.Decide(at.asTold(), o)
}

// heads are the cache of recorded states: the last event of every resource, as far as it is known here. What the cache
// lacks or has wrong costs a round trip, never a wrong event. Its methods may be called from any number of goroutines.
//
// Three write to it, and none of them replaces what is newer: who has written or read an event (put), the scan of the state
// bucket and the tail of the log (learn), and who found that the stream has none (remove).
type heads struct {
	names event.Names

	mu      sync.RWMutex     // guards what follows; nothing is asked of anybody while it is held
	groups  map[string]group // by kind and project, the first two tokens of a resource
	waiting waiting          // those of them that should not stay as they are
	horizon uint64           // the highest sequence of the log that is known here
	epoch   uint64           // how often all was forgotten
}

// A group holds the resources of one kind and project by their tokens.
type group struct {
	places map[string]packed
	moving map[string]minute // those that move on by themselves, and since when they should
}

func newHeads(names event.Names) *heads {
	return &heads{names: names, groups: map[string]group{}, waiting: waiting{}}
}

func (h *heads) get(resource string) place { return h.packed(resource).place() }

func (h *heads) packed(resource string) packed {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.groups[event.GroupOf(resource)].places[resource]
}

// sequence is that of a resource's last event, 0 where none is known.
func (h *heads) sequence(resource string) uint64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.groups[event.GroupOf(resource)].places[resource].sequence()
}

// upTo is the highest sequence of the log that is known here.
func (h *heads) upTo() uint64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.horizon
}

// put remembers a place as it was just read or written, unless the tail has told something newer meanwhile.
func (h *heads) put(resource string, at place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	name := event.GroupOf(resource)
	if old := h.groups[name].places[resource]; old.sequence() <= at.fact.Sequence {
		h.set(name, resource, old, at)
	}
}

// remove forgets a resource that the stream does not have, unless the tail has told of it since the stream was asked, when
// its last event was known to be at asked.
func (h *heads) remove(resource string, asked uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	name := event.GroupOf(resource)
	if h.groups[name].places[resource].sequence() == asked {
		delete(h.groups[name].places, resource)
		h.rest(name, resource)
	}
}

// rest notes that a resource moves on no longer; the caller holds the lock.
func (h *heads) rest(name, resource string) {
	g := h.groups[name]
	h.waiting.add(kindOf(name), g.moving[resource], -1)
	delete(g.moving, resource)
}

// kindOf is the kind of a group's resources.
func kindOf(name string) lifecycle.Kind {
	kind, _, _ := strings.Cut(name, ".")
	return lifecycle.Kind(kind)
}

// learn puts a place that a scan or the log's tail found, unless something newer is known already.
func (h *heads) learn(resource string, at place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	name := event.GroupOf(resource)
	if old := h.groups[name].places[resource]; old.sequence() < at.fact.Sequence {
		h.set(name, resource, old, at)
	}
}

// set remembers a place of a group's resource instead of an old one; the caller holds the lock.
func (h *heads) set(name, resource string, old packed, at place) {
	g, ok := h.groups[name]
	if !ok {
		g = group{places: map[string]packed{}, moving: map[string]minute{}}
		h.groups[name] = g
	}
	if old.sequence() == at.fact.Sequence {
		if again := old.place().again; again.After(at.again) {
			at.again = again
		}
	}
	g.places[resource] = pack(at)
	h.rest(name, resource)
	if kind := kindOf(name); lifecycle.Moving(kind, at.fact.State, at.fact.Provisioning) {
		since := minuteOf(kind, at.asTold())
		g.moving[resource] = since
		h.waiting.add(kind, since, 1)
	}
	h.horizon = max(h.horizon, at.fact.Sequence)
}

// flapped notes that the state of a resource's last event was told once more.
func (h *heads) flapped(resource string, at place, again time.Time) {
	if again.After(at.again) {
		at.again = again
	}
	h.put(resource, at)
}

// forget empties the cache, because the log is another one or has lost its end.
func (h *heads) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.groups, h.waiting, h.horizon = map[string]group{}, waiting{}, 0
	h.epoch++
}
