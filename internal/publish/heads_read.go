package publish

import (
	"maps"
	"slices"

	"mkio-bridge/internal/lifecycle"
)

// Heads is what others may ask of the cache of recorded states: the last event of every resource, as far as it is known here.
type Heads struct{ *heads }

// Recorded returns a resource's last event as far as it is known here.
func (h Heads) Recorded(key lifecycle.Key) (lifecycle.Fact, bool) {
	fact := h.Last(h.names.Resource(key))
	if fact == nil {
		return lifecycle.Fact{}, false
	}
	return *fact, true
}

// Last is [Heads.Recorded] of a resource token; nil where no event is known.
func (h Heads) Last(resource string) *lifecycle.Fact { return h.get(resource).fact }

// Compare says what [Publisher.Observe] would make of an observation by the cache alone: it asks the log nothing. Where it
// returns news, Observe may still find that there is none. current is false where the recorded state is not the one that
// the observation rests on (its Basis).
func (h Heads) Compare(resource string, o lifecycle.Observation) (verdict lifecycle.Verdict, current bool) {
	var (
		at   head
		fact lifecycle.Fact // without its hash, which no decision needs: polls compare a row in a few allocations
	)
	if cached := h.packed(resource); cached != "" {
		at.fact = &fact
		_, at.flappedAt, _ = cached.read(&fact)
	}
	return at.decide(o), o.Basis == nil || *o.Basis == fact.Sequence
}

// Horizon is the highest sequence of the log that is known here. What is asked of MK.IO now is newer
// than everything up to it.
func (h Heads) Horizon() uint64 { return h.upTo() }

// Epoch changes when all that was known here was forgotten, because the log is another one or has lost its end.
func (h Heads) Epoch() uint64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.epoch
}

// Resources returns the last event of every resource of a kind and project by its token, as far as it is
// known here.
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

// Tokens returns the tokens of all resources of a kind and project that are known here. The cache is not locked while the
// caller goes through them.
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
		for resource := range g.moving {
			found[resource] = *g.heads[resource].head().fact
		}
	}
	return found
}

// Count is how many resources of a kind and project are known here.
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
