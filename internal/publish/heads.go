package publish

import (
	"sync"
	"time"

	"github.com/tidwall/btree"

	"mkio-bridge/internal/durations"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// A head is the recorded state of a resource: its last event (nil: none is cached) and the expected sequence of the next
// write, which is the last sequence that the log has on the resource's subjects. The two sequences differ when the event has
// aged out of the log and only the state bucket still has it: then 0 is expected.
type head struct {
	fact   *lifecycle.Fact
	expect uint64
	// flappedAt is MK.IO's time of the latest flap: the resource left the event's state and returned to it between two
	// observations. The log does not have it.
	flappedAt time.Time
}

// withFlap returns the last event, with the time of its latest flap if there was one: an observation older than a flap is
// out of order.
func (at head) withFlap() *lifecycle.Fact {
	if at.fact == nil || !at.flappedAt.After(at.fact.At) {
		return at.fact
	}
	fact := *at.fact
	fact.At = at.flappedAt
	return &fact
}

// decide compares an observation with the recorded state. All decisions of this package go through it.
func (at head) decide(o lifecycle.Observation) lifecycle.Verdict {
	return lifecycle.Decide(at.withFlap(), o)
}

// heads is the cache of recorded states: the last event of every resource. A missing or stale head costs a round trip, never
// a wrong event. Its methods may be called from any number of goroutines.
//
// Three methods write it, and none replaces a newer head: put, for a caller that has written or read an event; putIfNewer,
// for the scan of the state bucket and the tail of the log; remove, for a caller that found no event in the stream.
type heads struct {
	names event.Names

	mu           sync.RWMutex       // guards the fields below; never held during I/O
	groups       map[string]group   // by kind and project, the first two tokens of a resource
	transitional transitionalCounts // counts for mkio_bridge_resources_transitional
	durations    durations.Table    // of the stays of all cached heads
	changes      changes            // the resources whose head changed last
	maxSequence  uint64             // the highest cached sequence
	epoch        uint64             // how often the cache was reset
}

// A group holds the resources of one kind and project by their tokens. Deleted ones are kept apart: over the years there may
// be many more of them than MK.IO has resources, and polls need the living only.
type group struct {
	living   map[string]packed
	deleted  map[string]packed
	inMotion map[string]minute  // the resources in motion, by token, with their [transitionalSince]
	failed   map[string]bool    // the resources whose provisioning has failed, by token
	sorted   *btree.Set[string] // the tokens of living and deleted resources, for lists in this order
}

// packed returns the head of a resource.
func (g group) packed(resource string) packed {
	if at, ok := g.living[resource]; ok {
		return at
	}
	return g.deleted[resource]
}

func newHeads(names event.Names) *heads {
	return &heads{names: names, groups: map[string]group{}, transitional: transitionalCounts{}, changes: newChanges()}
}

func (h *heads) get(resource string) head { return h.packed(resource).head() }

func (h *heads) packed(resource string) packed {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.groups[event.GroupOf(resource)].packed(resource)
}

// sequence returns the sequence of a resource's cached event; 0 if none is cached.
func (h *heads) sequence(resource string) uint64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.groups[event.GroupOf(resource)].packed(resource).sequence()
}

// horizon returns the highest cached sequence.
func (h *heads) horizon() uint64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.maxSequence
}

// put caches a head that was just read or written, unless the tail has cached a newer one meanwhile.
func (h *heads) put(resource string, at head) {
	h.mu.Lock()
	defer h.mu.Unlock()
	name := event.GroupOf(resource)
	if old := h.groups[name].packed(resource); old.sequence() <= at.fact.Sequence {
		h.set(name, resource, old, at)
	}
}

// remove deletes the head of a resource that the stream does not have. cached is the resource's cached sequence from before
// the stream was read: if it has changed, the tail has cached an event meanwhile, and the head stays.
func (h *heads) remove(resource string, cached uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	name := event.GroupOf(resource)
	g := h.groups[name]
	if old := g.packed(resource); old.sequence() == cached {
		h.durations.Remove(event.KindOf(name), old.stays())
		delete(g.living, resource)
		delete(g.deleted, resource)
		delete(g.failed, resource)
		if g.sorted != nil { // nil: no resource of the group is cached
			g.sorted.Delete(resource)
		}
		h.removeInMotion(name, resource)
		h.changes.add(resource)
	}
}

// removeInMotion deletes a resource from those in motion; the caller holds the lock.
func (h *heads) removeInMotion(name, resource string) {
	g := h.groups[name]
	h.transitional.add(event.KindOf(name), g.inMotion[resource], -1)
	delete(g.inMotion, resource)
}

// putIfNewer caches a head that the scan or the tail has read, unless the cached one is as new.
func (h *heads) putIfNewer(resource string, at head) {
	h.mu.Lock()
	defer h.mu.Unlock()
	name := event.GroupOf(resource)
	if old := h.groups[name].packed(resource); old.sequence() < at.fact.Sequence {
		h.set(name, resource, old, at)
	}
}

// set replaces the cached head of a resource in a group; the caller holds the lock.
func (h *heads) set(name, resource string, old packed, at head) {
	g, ok := h.groups[name]
	if !ok {
		g = group{living: map[string]packed{}, deleted: map[string]packed{}, inMotion: map[string]minute{}, failed: map[string]bool{}, sorted: &btree.Set[string]{}}
		h.groups[name] = g
	}
	if old.sequence() == at.fact.Sequence {
		if flappedAt := old.head().flappedAt; flappedAt.After(at.flappedAt) {
			at.flappedAt = flappedAt
		}
	}
	if stays := old.stays(); stays != at.fact.Stays {
		h.durations.Remove(event.KindOf(name), stays)
		h.durations.Add(event.KindOf(name), at.fact.Stays)
	}
	to, from := g.living, g.deleted
	if lifecycle.SameState(at.fact.State, lifecycle.StateDeleted) {
		to, from = from, to
	}
	if _, ok := to[resource]; !ok {
		g.sorted.Insert(resource) // also when it moves: the set and the map then share the memory of the token
	}
	delete(from, resource)
	to[resource] = pack(at)
	h.removeInMotion(name, resource)
	if kind := event.KindOf(name); lifecycle.InMotion(kind, at.fact.State, at.fact.Provisioning) {
		since := transitionalSince(kind, at.withFlap())
		g.inMotion[resource] = since
		h.transitional.add(kind, since, 1)
	}
	if lifecycle.ProvisioningFailed(at.fact.Provisioning) {
		g.failed[resource] = true
	} else {
		delete(g.failed, resource)
	}
	h.maxSequence = max(h.maxSequence, at.fact.Sequence)
	h.changes.add(resource)
}

// flapped caches that a resource returned to the state of its last event at a time, MK.IO's.
func (h *heads) flapped(resource string, at head, reached time.Time) {
	if reached.After(at.flappedAt) {
		at.flappedAt = reached
	}
	h.put(resource, at)
}

// reset empties the cache, because the log was replaced or has lost its end.
func (h *heads) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.groups, h.transitional, h.durations, h.maxSequence = map[string]group{}, transitionalCounts{}, durations.Table{}, 0
	h.changes.addAll()
	h.epoch++
}
