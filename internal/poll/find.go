package poll

import (
	"context"
	"slices"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// findMotions brings the motions up to what the log holds. The caller holds the lock.
func (p *project) findMotions(now time.Time) {
	found := map[string]bool{}
	for _, kind := range p.Kinds {
		for resource, fact := range p.Log.Moving(kind, p.name) {
			found[resource] = true
			m := p.motions[resource]
			if m == nil {
				key, err := p.keyOf(resource)
				if err != nil {
					continue // it is looked at by sweeps
				}
				m = &motion{key: key, list: p.listOf(key)}
				p.motions[resource] = m
			}
			if m.list == nil {
				m.list = p.listOf(m.key)
			}
			if m.fact.Sequence != fact.Sequence {
				m.fact, m.since, m.shown = fact, sinceWhen(fact, now), time.Time{}
				m.next = now.Add(p.pace.active)
			}
		}
	}
	for resource := range p.motions {
		if !found[resource] {
			delete(p.motions, resource)
		}
	}
}

// sinceWhen is when a resource came to its state, as far as the log tells: others may have looked at it for long.
func sinceWhen(fact lifecycle.Fact, now time.Time) time.Time {
	at := fact.At
	if at.IsZero() {
		at = fact.SeenBefore
	}
	if at.IsZero() {
		return now
	}
	return earlier(at, now)
}

// keyOf is bounded in time: it may have to read the log.
func (p *project) keyOf(resource string) (lifecycle.Key, error) {
	ctx, cancel := context.WithTimeout(context.Background(), p.pace.active)
	defer cancel()
	return p.Log.KeyOf(ctx, resource)
}

// listOf returns the list that shows a resource; nil where its parent's is not known (yet).
func (p *project) listOf(key lifecycle.Key) *list {
	if parent, ok := mkio.ParentOf(key); ok {
		return p.below[parent]
	}
	for _, l := range p.lists {
		if slices.Contains(l.Kinds, key.Kind) {
			return l
		}
	}
	return nil
}

// movingOn returns the motions of a list, and when the first of them is due. The caller holds the lock.
func (p *project) movingOn(l *list) (moving []*motion, due time.Time) {
	for _, m := range p.motions {
		if m.list != l || p.patience.waits(m.key) { // sweeps find out what became of that
			continue
		}
		if len(moving) == 0 || m.next.Before(due) {
			due = m.next
		}
		moving = append(moving, m)
	}
	return moving, due
}

// findParents brings the lists below parents up to the parents that are known: live events that are not
// Stopped, all resources of the Live API, and whatever something is known below. The caller holds
// the lock.
func (p *project) findParents() {
	parents := map[lifecycle.Key]bool{}
	for _, child := range childKinds(p.Kinds) {
		p.addParents(parents, child)
	}
	for parent := range parents {
		if p.below[parent] != nil {
			continue
		}
		if l, ok := mkio.ListBelow(parent); ok {
			p.below[parent] = &list{List: l}
		}
	}
	for parent, l := range p.below {
		if !parents[parent] && l.busy == [errands]bool{} {
			delete(p.below, parent)
		}
	}
}

func (p *project) addParents(parents map[lifecycle.Key]bool, child lifecycle.Kind) {
	for _, kind := range mkio.ParentKinds(child) {
		for resource, fact := range p.Log.Resources(kind, p.name) {
			stopped := child == lifecycle.LiveOutput && lifecycle.SameState(fact.State, "Stopped")
			if stopped || lifecycle.SameState(fact.State, lifecycle.StateDeleted) {
				continue
			}
			if key, err := p.keyOf(resource); err == nil {
				parents[key] = true
			}
		}
	}
	for resource, fact := range p.Log.Resources(child, p.name) {
		if lifecycle.SameState(fact.State, lifecycle.StateDeleted) {
			continue
		}
		if key, err := p.keyOf(resource); err == nil {
			if parent, ok := mkio.ParentOf(key); ok {
				parents[parent] = true
			}
		}
	}
}

// childKinds are those of the kinds that lie below resources of others.
func childKinds(kinds []lifecycle.Kind) []lifecycle.Kind {
	return slices.DeleteFunc(slices.Clone(kinds), func(k lifecycle.Kind) bool { return len(mkio.ParentKinds(k)) == 0 })
}
