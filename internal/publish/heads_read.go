package publish

import (
	"maps"
	"slices"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// Heads is the read side of the cache of recorded states: the last event of every resource, as far as cached.
type Heads struct{ *heads }

// Recorded returns a resource's cached last event.
func (h Heads) Recorded(key lifecycle.Key) (lifecycle.Fact, bool) {
	fact := h.Last(h.names.Resource(key))
	if fact == nil {
		return lifecycle.Fact{}, false
	}
	return *fact, true
}

// Last is [Heads.Recorded] of a resource token; nil if no event is cached.
func (h Heads) Last(resource string) *lifecycle.Fact { return h.get(resource).fact }

// Compare decides an observation by the cache alone, without reading the log. Where it returns news, [Publisher.Observe] may
// still find none. current is false if the cached event is not the one that the observation was compared with (its Basis).
func (h Heads) Compare(resource string, o lifecycle.Observation) (verdict lifecycle.Verdict, current bool) {
	var (
		at   head
		fact lifecycle.Fact // without its hash, which no decision needs, to save allocations: polls compare every row
	)
	if cached := h.packed(resource); cached != "" {
		at.fact = &fact
		_, at.flappedAt, _ = cached.read(&fact)
	}
	return at.decide(o), o.Basis == nil || *o.Basis == fact.Sequence
}

// Horizon returns the highest cached sequence. A response that MK.IO gives from now on is newer than every event up to it.
func (h Heads) Horizon() uint64 { return h.horizon() }

// Epoch changes when the cache was reset, because the log was replaced or has lost its end.
func (h Heads) Epoch() uint64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.epoch
}

// Living returns the tokens of all cached resources of a kind and project that are not recorded as Deleted. They are a copy:
// iterating does not lock the cache.
func (h Heads) Living(kind lifecycle.Kind, project string) []string {
	living, _ := h.Count(kind, project)
	tokens := make([]string, 0, living)
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, name := range h.names.Groups(kind, project) {
		tokens = slices.AppendSeq(tokens, maps.Keys(h.groups[name].living))
	}
	return tokens
}

// InMotion returns the tokens of the cached resources of a kind and project that are in motion.
func (h Heads) InMotion(kind lifecycle.Kind, project string) []string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var tokens []string
	for _, name := range h.names.Groups(kind, project) {
		tokens = slices.AppendSeq(tokens, maps.Keys(h.groups[name].inMotion))
	}
	return tokens
}

// Changed returns the tokens of a project's resources whose cached event changed after a version of the cache, some of them
// more than once, and the present version. complete is false if there were too many changes to list, or since is 0.
func (h Heads) Changed(project string, since uint64) (resources []string, version uint64, complete bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	complete = h.changes.since(since, func(resource string) {
		group := event.GroupOf(resource)
		if slices.Contains(h.names.Groups(event.KindOf(group), project), group) {
			resources = append(resources, resource)
		}
	})
	return resources, h.changes.version, complete
}

// Count returns how many resources of a kind and project are cached, apart: those that live, and those recorded as Deleted.
func (h Heads) Count(kind lifecycle.Kind, project string) (living, deleted int) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, name := range h.names.Groups(kind, project) {
		living += len(h.groups[name].living)
		deleted += len(h.groups[name].deleted)
	}
	return living, deleted
}

// Token returns the token of a resource.
func (h Heads) Token(key lifecycle.Key) string { return h.names.Resource(key) }
