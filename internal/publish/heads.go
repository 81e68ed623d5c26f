package publish

import (
	"strings"
	"sync"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// A head is the recorded state of a resource: its last event (nil: none is known) and the expected sequence of the next
// write, which is the last sequence that the log has on the resource's subjects. The two sequences differ when the event has
// aged out of the log and only the state bucket still has it: then 0 is expected.
type head struct {
	fact   *lifecycle.Fact
	expect uint64
	// flappedAt is MK.IO's time of the latest flap: the event's state was left and reached again unseen. The log does not have it.
	flappedAt time.Time
}

// withFlap is the last event, with the time of its latest flap if there was one: an observation older than a flap is out of
// order.
func (at head) withFlap() *lifecycle.Fact {
	if at.fact == nil || !at.flappedAt.After(at.fact.At) {
		return at.fact
	}
	fact := *at.fact
	fact.At = at.flappedAt
	return &fact
}

// decide is the one comparison of an observation with a recorded state.
func (at head) decide(o lifecycle.Observation) lifecycle.Verdict {
	return lifecycle.Decide(at.withFlap(), o)
}

// heads are the cache of recorded states: the last event of every resource, as far as it is known here. What the cache
// lacks or has wrong costs a round trip, never a wrong event. Its methods may be called from any number of goroutines.
//
// It is written in three ways, and none replaces what is newer: put, by the caller that has written or read an event; learn,
// by the scan of the state bucket and by the tail of the log; remove, by the caller that found no event in the stream.
type heads struct {
	names event.Names

	mu      sync.RWMutex     // guards what follows; nothing is asked of anybody while it is held
	groups  map[string]group // by kind and project, the first two tokens of a resource
	waiting waiting          // counts those that should not stay in their state: mkio_bridge_resources_transitional
	horizon uint64           // the highest sequence of the log that is known here
	epoch   uint64           // how often the cache was emptied
}

// A group holds the resources of one kind and project by their tokens.
type group struct {
	heads  map[string]packed
	moving map[string]minute // the resources in motion, and since when those are that should not stay so (minuteOf); else 0
}

func newHeads(names event.Names) *heads {
	return &heads{names: names, groups: map[string]group{}, waiting: waiting{}}
}

func (h *heads) get(resource string) head { return h.packed(resource).head() }

func (h *heads) packed(resource string) packed {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.groups[event.GroupOf(resource)].heads[resource]
}

// sequence is that of a resource's last event, 0 where none is known.
func (h *heads) sequence(resource string) uint64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.groups[event.GroupOf(resource)].heads[resource].sequence()
}

// upTo is the highest sequence of the log that is known here.
func (h *heads) upTo() uint64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.horizon
}

// put caches a head as it was just read or written, unless the tail has brought a newer one meanwhile.
func (h *heads) put(resource string, at head) {
	h.mu.Lock()
	defer h.mu.Unlock()
	name := event.GroupOf(resource)
	if old := h.groups[name].heads[resource]; old.sequence() <= at.fact.Sequence {
		h.set(name, resource, old, at)
	}
}

// remove forgets a resource that the stream does not have. asked is the cached sequence from before the stream was asked: if
// it has changed, the tail has brought an event meanwhile, and the resource stays.
func (h *heads) remove(resource string, asked uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	name := event.GroupOf(resource)
	if h.groups[name].heads[resource].sequence() == asked {
		delete(h.groups[name].heads, resource)
		h.rest(name, resource)
	}
}

// rest notes that a resource is no longer in motion; the caller holds the lock.
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

// learn caches a head that a scan or the log's tail found, unless the cached one is as new or newer.
func (h *heads) learn(resource string, at head) {
	h.mu.Lock()
	defer h.mu.Unlock()
	name := event.GroupOf(resource)
	if old := h.groups[name].heads[resource]; old.sequence() < at.fact.Sequence {
		h.set(name, resource, old, at)
	}
}

// set replaces the cached head of a resource in a group; the caller holds the lock.
func (h *heads) set(name, resource string, old packed, at head) {
	g, ok := h.groups[name]
	if !ok {
		g = group{heads: map[string]packed{}, moving: map[string]minute{}}
		h.groups[name] = g
	}
	if old.sequence() == at.fact.Sequence {
		if again := old.head().flappedAt; again.After(at.flappedAt) {
			at.flappedAt = again
		}
	}
	g.heads[resource] = pack(at)
	h.rest(name, resource)
	if kind := kindOf(name); lifecycle.InMotion(kind, at.fact.State, at.fact.Provisioning) {
		since := minuteOf(kind, at.withFlap())
		g.moving[resource] = since
		h.waiting.add(kind, since, 1)
	}
	h.horizon = max(h.horizon, at.fact.Sequence)
}

// flapped notes that a resource left the state of its last event unseen, and reached it again at a time.
func (h *heads) flapped(resource string, at head, again time.Time) {
	if again.After(at.flappedAt) {
		at.flappedAt = again
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
