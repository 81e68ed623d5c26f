package publish

import (
	"cmp"
	"iter"
	"slices"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// sortedPart is how many heads [Heads.Sorted] reads while it locks the cache: a list of all resources must not delay writes.
const sortedPart = 256

// Sorted returns the cached resources of the kinds and projects (none: of any), deleted ones included, in the order of their tokens, from the first token after the given one. The facts have no hash. The cache is not locked during the
// iteration: a resource that is added or changed meanwhile may be returned as it was before or after.
func (h Heads) Sorted(kinds []lifecycle.Kind, projects []string, after string) iter.Seq2[string, *lifecycle.Fact] {
	return func(yield func(string, *lifecycle.Fact) bool) {
		part := make([]cached, 0, sortedPart)
		var fact lifecycle.Fact // one for all, to save allocations
		for _, group := range h.sortedGroups(kinds, projects) {
			for from, full := after, true; full; {
				part = h.partAfter(part[:0], group, from)
				for _, c := range part {
					c.head.read(&fact)
					if !yield(c.resource, &fact) {
						return
					}
				}
				if full = len(part) == sortedPart; full {
					from = part[len(part)-1].resource
				}
			}
		}
	}
}

// A cached is a head with the token of its resource.
type cached struct {
	resource string
	head     packed
}

// partAfter appends at most sortedPart heads of a group, from the first token after the given one.
func (h Heads) partAfter(part []cached, group, after string) []cached {
	h.mu.RLock()
	defer h.mu.RUnlock()
	g, ok := h.groups[group]
	if !ok {
		return part // the cache was reset
	}
	g.sorted.Ascend(after, func(resource string) bool {
		if resource != after {
			part = append(part, cached{resource, g.packed(resource)})
		}
		return len(part) < sortedPart
	})
	return part
}

// sortedGroups returns the groups of the kinds and projects in the order of the tokens in them.
func (h Heads) sortedGroups(kinds []lifecycle.Kind, projects []string) []string {
	matches := func(group string) bool {
		of := event.KindOf(group)
		isOf := func(project string) bool { return slices.Contains(h.names.Groups(of, project), group) }
		return (len(kinds) == 0 || slices.Contains(kinds, of)) && (len(projects) == 0 || slices.ContainsFunc(projects, isOf))
	}
	h.mu.RLock()
	var groups []string
	for group := range h.groups {
		if matches(group) {
			groups = append(groups, group)
		}
	}
	h.mu.RUnlock()
	slices.SortFunc(groups, func(a, b string) int { return cmp.Compare(a+".", b+".") })
	return groups
}
