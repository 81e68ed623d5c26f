package poll

import (
	"container/heap"
	"slices"
	"time"
)

// dueLists are the child lists, of which there may be thousands, ordered by when the scheduler must check them next: a tick
// checks only those that are due. The lock of lists guards them, and the fields check and queued of each list.
type dueLists []*list

// Len, Less, Swap, Push and Pop implement [heap.Interface].
func (d dueLists) Len() int           { return len(d) }
func (d dueLists) Less(i, j int) bool { return d[i].check.Before(d[j].check) }

func (d dueLists) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].queued, d[j].queued = i+1, j+1
}

func (d *dueLists) Push(l any) {
	*d = append(*d, l.(*list))
	(*d)[len(*d)-1].queued = len(*d)
}

func (d *dueLists) Pop() any {
	l := (*d)[len(*d)-1]
	(*d)[len(*d)-1] = nil
	*d = (*d)[:len(*d)-1]
	l.queued = 0
	return l
}

// add has a list checked no later than at.
func (d *dueLists) add(l *list, at time.Time) {
	switch {
	case l.queued == 0:
		l.check = at
		heap.Push(d, l)
	case at.Before(l.check):
		l.check = at
		heap.Fix(d, l.queued-1)
	}
}

// remove removes a list, if it is queued.
func (d *dueLists) remove(l *list) {
	if l.queued > 0 {
		heap.Remove(d, l.queued-1)
	}
}

// take removes and returns the lists to check now.
func (d *dueLists) take(now time.Time) (due []*list) {
	for len(*d) > 0 && !(*d)[0].check.After(now) {
		due = append(due, heap.Pop(d).(*list))
	}
	return due
}

// due returns the lists to check now. The caller must pass each child list to checkAgain.
func (ls *lists) due(now time.Time) []*list {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return slices.Concat(ls.projectLists, ls.childrenDue.take(now)) // in this order: new parents are on the lists of the project
}

// checkAgain has a list checked at the latest at a time, or earlier if checkNow was called meanwhile.
func (ls *lists) checkAgain(l *list, at time.Time) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l != nil && l.hasParent() && ls.childLists[l.Parent] == l { // else it was retired meanwhile, or is checked at every tick
		ls.childrenDue.add(l, at)
	}
}

// checkNow has the scheduler check a list at its next tick: something may be due earlier than it was. A list may be nil.
func (ls *lists) checkNow(l *list) { ls.checkAgain(l, time.Time{}) }

// nextCheck returns when the first child list must be checked; far where there is none before.
func (ls *lists) nextCheck(far time.Time) time.Time {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if len(ls.childrenDue) == 0 {
		return far
	}
	return earliest(far, ls.childrenDue[0].check)
}
