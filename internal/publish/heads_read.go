package publish

import (
	"maps"
	"slices"

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

// Resources returns the cached last event of every resource of a kind and project, by its token.
func (h Heads) Resources(kind lifecycle.Kind, project string) map[string]lifecycle.Fact {
	h.mu.RLock()
	defer h.mu.RUnlock()
	found := map[string]lifecycle.Fact{}
	for _, name := range h.names.Groups(kind, project) {
		for resource, at := range h.groups[name].heads {
			found[resource] = *at.head().fact
		}
	}
	return found
}

// Tokens returns the tokens of all cached resources of a kind and project. They are a copy: iterating does not lock the
// cache.
func (h Heads) Tokens(kind lifecycle.Kind, project string) []string {
	tokens := make([]string, 0, h.Count(kind, project))
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, name := range h.names.Groups(kind, project) {
		tokens = slices.AppendSeq(tokens, maps.Keys(h.groups[name].heads))
	}
	return tokens
}

// InMotion returns those of [Heads.Resources] that are in motion.
func (h Heads) InMotion(kind lifecycle.Kind, project string) map[string]lifecycle.Fact {
	h.mu.RLock()
	defer h.mu.RUnlock()
	found := map[string]lifecycle.Fact{}
	for _, name := range h.names.Groups(kind, project) {
		g := h.groups[name]
		for resource := range g.inMotion {
			found[resource] = *g.heads[resource].head().fact
		}
	}
	return found
}

// Count returns how many resources of a kind and project are cached.
func (h Heads) Count(kind lifecycle.Kind, project string) int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	n := 0
	for _, name := range h.names.Groups(kind, project) {
		n += len(h.groups[name].heads)
	}
	return n
}

// Token returns the token of a resource.
func (h Heads) Token(key lifecycle.Key) string { return h.names.Resource(key) }
