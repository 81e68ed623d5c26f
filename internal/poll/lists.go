package poll

import (
	"maps"
	"slices"
	"sync"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// lists are those of a project: of all of it, and one below each parent that the log knows.
//
// mu guards below. It is held while the log's cache is searched for parents, so that of two searches the later one counts.
type lists struct {
	*scope
	whole []*list // of the whole project; they stay

	mu    sync.Mutex
	below map[lifecycle.Key]*list // by parent
}

func newLists(s *scope) *lists {
	ls := &lists{scope: s, below: map[lifecycle.Key]*list{}}
	for _, l := range mkio.Lists(s.name, s.kinds) {
		ls.whole = append(ls.whole, &list{List: l})
	}
	return ls
}

// all returns all lists that there are now.
func (ls *lists) all() []*list {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return slices.AppendSeq(slices.Clone(ls.whole), maps.Values(ls.below))
}

// of returns the list that shows a resource; nil where its parent's is not known (yet).
func (ls *lists) of(key lifecycle.Key) *list {
	if parent, ok := mkio.ParentOf(key); ok {
		return ls.under(parent)
	}
	for _, l := range ls.whole {
		if slices.Contains(l.Kinds, key.Kind) {
			return l
		}
	}
	return nil
}

// under returns the list of what lies below a resource; nil where there is none.
func (ls *lists) under(parent lifecycle.Key) *list {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.below[parent]
}

// sweepAgain has all lists swept at once, or again where they are being swept.
func (ls *lists) sweepAgain() {
	for _, l := range ls.all() {
		l.schedule.sweepAgain()
	}
	ls.rouse()
}

// forget has everything compared anew.
func (ls *lists) forget() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.below = map[lifecycle.Key]*list{}
	for _, l := range ls.whole {
		l.forget()
	}
}

// findParents brings the lists below parents up to the parents that are known: live events that are not
// Stopped, all resources of the Live API, and whatever something is known below.
func (ls *lists) findParents() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	parents := map[lifecycle.Key]bool{}
	for _, child := range childKinds(ls.kinds) {
		ls.addParents(parents, child)
	}
	for parent := range parents {
		if ls.below[parent] != nil {
			continue
		}
		if l, ok := mkio.ListBelow(parent); ok {
			ls.below[parent] = &list{List: l}
		}
	}
	for parent, l := range ls.below {
		if !parents[parent] && l.schedule.drop() {
			delete(ls.below, parent)
		}
	}
}

func (ls *lists) addParents(parents map[lifecycle.Key]bool, child lifecycle.Kind) {
	for _, kind := range mkio.ParentKinds(child) {
		for resource, fact := range ls.inventory.Resources(kind, ls.name) {
			stopped := child == lifecycle.LiveOutput && lifecycle.SameState(fact.State, "Stopped")
			if stopped || lifecycle.SameState(fact.State, lifecycle.StateDeleted) {
				continue
			}
			if key, err := ls.keyOf(resource); err == nil {
				parents[key] = true
			}
		}
	}
	for resource, fact := range ls.inventory.Resources(child, ls.name) {
		if lifecycle.SameState(fact.State, lifecycle.StateDeleted) {
			continue
		}
		if key, err := ls.keyOf(resource); err == nil {
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

// unpolledParents are the kinds that a kind lies below and that are not polled: what is new below new ones of those is
// found by chance alone.
func unpolledParents(child lifecycle.Kind, polled []lifecycle.Kind) []lifecycle.Kind {
	return slices.DeleteFunc(mkio.ParentKinds(child), func(k lifecycle.Kind) bool { return slices.Contains(polled, k) })
}

// sweptBelow says whether all parents of a kind were swept, and so was each list below one.
func (ls *lists) sweptBelow(child lifecycle.Kind) bool {
	for _, l := range ls.all() {
		if (l.Kinds[0] == child || l.hasParentsOf(child)) && l.progress.last().at.IsZero() {
			return false
		}
	}
	return true
}

// nudge brings forward what an event suggests has changed. A burst of nudges is one: nothing is asked for more
// often than every Active.
func (ls *lists) nudge(key lifecycle.Key, at time.Time) {
	for _, l := range ls.whole {
		if suggests(key.Kind, l) {
			l.schedule.soon(changes, at)
		}
	}
	if l := ls.under(key); l != nil {
		l.schedule.awaken(at)
	}
	if parent, ok := mkio.ParentOf(key); ok {
		if l := ls.under(parent); l != nil {
			l.schedule.awaken(at)
		}
	}
}

// suggests says whether an event of a kind lets expect changes on a list: on its own, on that of assets
// when a job ends, and on all that it may be when it is a channel instance of something.
func suggests(kind lifecycle.Kind, l *list) bool {
	for _, k := range l.Kinds {
		switch {
		case k == kind,
			kind == lifecycle.Job && k == lifecycle.Asset,
			kind == lifecycle.ChannelInstance && (k == lifecycle.LiveEvent || k == lifecycle.LiveChannel):
			return true
		}
	}
	return false
}
