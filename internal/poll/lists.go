package poll

import (
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// lists are the lists of a project: those of the whole project, and one for each parent that the log knows.
//
// mu guards the fields below it. It is held while the log's cache is read.
type lists struct {
	*scope
	projectLists []*list // of the whole project; they do not change

	mu          sync.Mutex
	families    *families
	childLists  map[lifecycle.Key]*list // by parent
	childrenDue dueLists
	retiring    map[lifecycle.Key]bool // the parents of those that are retired once no poll of them is under way
}

func newLists(s *scope) *lists {
	ls := &lists{scope: s, families: newFamilies(s), childLists: map[lifecycle.Key]*list{}, retiring: map[lifecycle.Key]bool{}}
	for _, l := range mkio.Lists(s.name, s.kinds) {
		ls.projectLists = append(ls.projectLists, &list{List: l})
	}
	return ls
}

// all returns the lists that exist now.
func (ls *lists) all() []*list {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return slices.AppendSeq(slices.Clone(ls.projectLists), maps.Values(ls.childLists))
}

// each returns an iterator over the lists that exist now. It holds mu: the caller may not call lists.
func (ls *lists) each() iter.Seq[*list] {
	return func(yield func(*list) bool) {
		ls.mu.Lock()
		defer ls.mu.Unlock()
		for _, l := range ls.projectLists {
			if !yield(l) {
				return
			}
		}
		for _, l := range ls.childLists {
			if !yield(l) {
				return
			}
		}
	}
}

// listOf returns the list that a resource belongs to; nil where its parent is not known.
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

// listBelow returns the list of the children of a resource; nil where there is none.
func (ls *lists) listBelow(parent lifecycle.Key) *list {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.childLists[parent]
}

// intervalsOf returns the times between the polls of a list: lists below parents are swept less often where they are many.
func (ls *lists) intervalsOf(l *list) intervals {
	iv := ls.intervals
	if l.hasParent() {
		ls.mu.Lock()
		defer ls.mu.Unlock()
		iv.sweep = iv.sweepBelowParents(len(ls.childLists))
		iv.full = max(iv.full, iv.sweep)
	}
	return iv
}

// sweepNow has all lists swept in full at once, and those being swept once more.
func (ls *lists) sweepNow() {
	for _, l := range ls.all() {
		l.schedule.sweepNow()
		ls.checkNow(l)
	}
	ls.wakeScheduler()
}

// reset forgets all comparisons.
func (ls *lists) reset() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.families.reset()
	clear(ls.childLists)
	ls.childrenDue = nil
	clear(ls.retiring)
	for _, l := range ls.projectLists {
		l.reset()
	}
}

// updateChildLists adds and retires child lists, by the families that the log's cache has.
func (ls *lists) updateChildLists() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.updateFamilies()
}

// updateFamilies is updateChildLists for a caller that holds mu.
func (ls *lists) updateFamilies() {
	parents := ls.families.update()
	maps.Copy(parents, ls.retiring)
	for parent := range parents {
		delete(ls.retiring, parent)
		l := ls.childLists[parent]
		switch wanted := ls.families.has(parent); {
		case wanted && l == nil:
			if below, ok := mkio.ListBelow(parent); ok {
				ls.childLists[parent] = &list{List: below}
				ls.childrenDue.add(ls.childLists[parent], time.Time{})
			}
		case wanted || l == nil:
		case l.schedule.retire():
			delete(ls.childLists, parent)
			ls.childrenDue.remove(l)
		default:
			ls.retiring[parent] = true
		}
	}
}

// childrenOf returns the tokens of the living children of a parent, according to the log.
func (ls *lists) childrenOf(parent lifecycle.Key) ([]string, error) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.updateFamilies()
	return ls.families.childrenOf(parent)
}

// childKinds returns those of the kinds whose resources lie below a parent.
func childKinds(kinds []lifecycle.Kind) []lifecycle.Kind {
	return slices.DeleteFunc(slices.Clone(kinds), func(k lifecycle.Kind) bool { return len(mkio.ParentKinds(k)) == 0 })
}

// unpolledParents returns the parent kinds of a child kind that are not polled. The children of a parent that is new are not
// found then.
func unpolledParents(child lifecycle.Kind, polled []lifecycle.Kind) []lifecycle.Kind {
	return slices.DeleteFunc(mkio.ParentKinds(child), func(k lifecycle.Kind) bool { return slices.Contains(polled, k) })
}

// sweptBelow reports whether all lists of a child kind's parents, and all lists below them, were swept.
func (ls *lists) sweptBelow(child lifecycle.Kind) bool {
	for l := range ls.each() {
		if (l.Kinds[0] == child || l.containsParentsOf(child)) && l.progress.lastSweep().began.IsZero() {
			return false
		}
	}
	return true
}

// expectChanges brings forward the delta sweeps that an event suggests, to at. A burst of events causes one sweep of a list
// each Active.
func (ls *lists) expectChanges(key lifecycle.Key, at time.Time) {
	for _, l := range ls.projectLists {
		if mayAffect(key.Kind, l) {
			l.schedule.bringForward(modeDelta, at)
		}
	}
	parent, _ := mkio.ParentOf(key)
	for _, of := range []lifecycle.Key{key, parent} {
		if l := ls.listBelow(of); l != nil {
			l.schedule.resumeDeltas(at)
			ls.checkNow(l)
		}
	}
}

// mayAffect reports whether an event of a kind suggests changes on a list: on the list of the kind itself, on that of assets
// for a job, whose outputs they are, and on the lists that a channel instance may belong to.
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
