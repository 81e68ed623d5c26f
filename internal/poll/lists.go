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
	projectLists []*list // of the whole project; they stay

	mu         sync.Mutex
	childLists map[lifecycle.Key]*list // by parent
}

func newLists(s *scope) *lists {
	ls := &lists{scope: s, childLists: map[lifecycle.Key]*list{}}
	for _, l := range mkio.Lists(s.name, s.kinds) {
		ls.projectLists = append(ls.projectLists, &list{List: l})
	}
	return ls
}

// all returns all lists that there are now.
func (ls *lists) all() []*list {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return slices.AppendSeq(slices.Clone(ls.projectLists), maps.Values(ls.childLists))
}

// of returns the list that shows a resource; nil where its parent's is not known (yet).
func (ls *lists) listOf(key lifecycle.Key) *list {
	if parent, ok := mkio.ParentOf(key); ok {
		return ls.listBelow(parent)
	}
	for _, l := range ls.projectLists {
		if slices.Contains(l.Kinds, key.Kind) {
			return l
		}
	}
	return nil
}

// under returns the list of what lies below a resource; nil where there is none.
func (ls *lists) listBelow(parent lifecycle.Key) *list {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.childLists[parent]
}

// sweepAgain has all lists swept at once, or again where they are being swept.
func (ls *lists) sweepNow() {
	for _, l := range ls.all() {
		l.schedule.sweepNow()
	}
	ls.wakeScheduler()
}

// forget has everything compared anew.
func (ls *lists) reset() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.childLists = map[lifecycle.Key]*list{}
	for _, l := range ls.projectLists {
		l.reset()
	}
}

// findParents brings the lists below parents up to the parents that are known: live events that are not
// Stopped, all resources of the Live API, and whatever something is known below.
func (ls *lists) updateParents() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	parents := map[lifecycle.Key]bool{}
	for _, child := range childKinds(ls.kinds) {
		ls.addParents(parents, child)
	}
	for parent := range parents {
		if ls.childLists[parent] != nil {
			continue
		}
		if l, ok := mkio.ListBelow(parent); ok {
			ls.childLists[parent] = &list{List: l}
		}
	}
	for parent, l := range ls.childLists {
		if !parents[parent] && l.schedule.retire() {
			delete(ls.childLists, parent)
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
		if (l.Kinds[0] == child || l.containsParentsOf(child)) && l.progress.lastSweep().began.IsZero() {
			return false
		}
	}
	return true
}

// nudge brings forward what an event suggests has changed. A burst of nudges is one: nothing is asked for more
// often than every Active.
func (ls *lists) expectChanges(key lifecycle.Key, at time.Time) {
	for _, l := range ls.projectLists {
		if mayAffect(key.Kind, l) {
			l.schedule.bringForward(modeDelta, at)
		}
	}
	if l := ls.listBelow(key); l != nil {
		l.schedule.resumeDeltas(at)
	}
	if parent, ok := mkio.ParentOf(key); ok {
		if l := ls.listBelow(parent); l != nil {
			l.schedule.resumeDeltas(at)
		}
	}
}

// suggests says whether an event of a kind lets expect changes on a list: on its own, on that of assets
// when a job ends, and on all that it may be when it is a channel instance of something.
func mayAffect(kind lifecycle.Kind, l *list) bool {
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
