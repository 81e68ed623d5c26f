package poll

import (
	"maps"
	"slices"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// families are the parents in a project whose children must be listed, according to the log: live events that are not Stopped,
// all resources of the Live API, and every parent of a recorded child. The lock of lists guards them.
type families struct {
	*scope
	parentKinds, childKinds []lifecycle.Kind
	changes                 changeReader
	byParent                map[lifecycle.Key]*family // only those that are not empty
}

// A family is a parent with its children.
type family struct {
	open     bool            // the parent may get children
	children map[string]bool // the tokens of the living ones
}

func newFamilies(s *scope) *families {
	f := &families{scope: s, childKinds: childKinds(s.kinds), changes: newChangeReader(s), byParent: map[lifecycle.Key]*family{}}
	for _, child := range f.childKinds {
		f.parentKinds = append(f.parentKinds, mkio.ParentKinds(child)...)
	}
	return f
}

// update brings the families in step with the log's cache, and returns the parents of those that may have begun or ended. Its
// cost is that of what changed since the last update.
func (f *families) update() (parents map[lifecycle.Key]bool) {
	parents = map[lifecycle.Key]bool{}
	changed, complete := f.changes.next()
	if !complete {
		for parent := range f.byParent {
			parents[parent] = true
		}
		clear(f.byParent)
		for _, kind := range slices.Concat(f.parentKinds, f.childKinds) {
			changed = append(changed, f.inventory.Living(kind, f.name)...)
		}
	}
	for _, resource := range changed {
		if parent, ok := f.updateResource(resource); ok {
			parents[parent] = true
		}
	}
	return parents
}

// updateResource updates the family of a resource, and returns its parent; false if it belongs to none.
func (f *families) updateResource(resource string) (parent lifecycle.Key, ok bool) {
	kind := event.KindOf(resource)
	isParent := slices.Contains(f.parentKinds, kind)
	if !isParent && !slices.Contains(f.childKinds, kind) {
		return parent, false
	}
	key, err := f.keyOf(resource)
	if err != nil {
		f.changes.retry(resource, err)
		return parent, false
	}
	h := f.headOfToken(resource)
	lives := h.fact != nil && !h.deleted()
	if isParent {
		f.set(key, func(in *family) { in.open = lives && mayGetChildren(kind, h.fact.State) })
		return key, true
	}
	if parent, ok = mkio.ParentOf(key); !ok {
		return parent, false
	}
	f.set(parent, func(in *family) {
		if delete(in.children, resource); lives {
			in.children[resource] = true
		}
	})
	return parent, true
}

// set changes the family of a parent.
func (f *families) set(parent lifecycle.Key, change func(*family)) {
	in := f.byParent[parent]
	if in == nil {
		in = &family{children: map[string]bool{}}
		f.byParent[parent] = in
	}
	if change(in); !in.open && len(in.children) == 0 {
		delete(f.byParent, parent)
	}
}

// mayGetChildren reports whether a parent in a state may get children: a live event has no outputs while it is Stopped.
func mayGetChildren(kind lifecycle.Kind, state string) bool {
	return kind != lifecycle.LiveEvent || !lifecycle.SameState(state, "Stopped")
}

// has reports whether a parent has a family.
func (f *families) has(parent lifecycle.Key) bool { return f.byParent[parent] != nil }

// childrenOf returns the tokens of a parent's living children, or an error if some resources could not be read.
func (f *families) childrenOf(parent lifecycle.Key) ([]string, error) {
	if err := f.changes.err(); err != nil {
		return nil, err
	}
	if in := f.byParent[parent]; in != nil {
		return slices.Collect(maps.Keys(in.children)), nil
	}
	return nil, nil
}

// reset forgets all families.
func (f *families) reset() {
	f.changes.reset()
	clear(f.byParent)
}
