package mkiofake

import (
	"container/heap"
	"time"
)

// A task is something to do at a time: a step of a script, or an attempt at a delivery.
type task struct {
	due      time.Time // on MK.IO's clock, had nobody set it
	order    uint64    // among those of one moment
	step     *Step
	delivery *delivery
}

// An agenda is what is still to be done, the earliest first.
type agenda struct {
	tasks    tasks
	order    uint64
	inHand   int           // taken and not finished
	changed  chan struct{} // told when a task comes that may be the next
	finished chan struct{} // closed when nothing is left
}

func newAgenda() agenda {
	a := agenda{changed: make(chan struct{}, 1), finished: make(chan struct{})}
	close(a.finished)
	return a
}

func (a *agenda) push(t task) {
	if len(a.tasks)+a.inHand == 0 {
		a.finished = make(chan struct{})
	}
	a.order++
	t.order = a.order
	heap.Push(&a.tasks, t)
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// pop takes the next task if it is due, else tells how long it is until one is; ok is false when there is none.
func (a *agenda) pop(now time.Time) (t task, wait time.Duration, ok bool) {
	if len(a.tasks) == 0 {
		return task{}, 0, false
	}
	if wait := a.tasks[0].due.Sub(now); wait > 0 {
		return task{}, wait, true
	}
	a.inHand++
	return heap.Pop(&a.tasks).(task), 0, true
}

// done ends a task that was taken. What follows from it was pushed before.
func (a *agenda) done() {
	a.inHand--
	if len(a.tasks)+a.inHand == 0 {
		close(a.finished)
	}
}

// tasks is a heap.
type tasks []task

func (t tasks) Len() int { return len(t) }
func (t tasks) Less(i, j int) bool {
	if c := t[i].due.Compare(t[j].due); c != 0 {
		return c < 0
	}
	return t[i].order < t[j].order
}
func (t tasks) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *tasks) Push(x any)   { *t = append(*t, x.(task)) }
func (t *tasks) Pop() any {
	last := (*t)[len(*t)-1]
	(*t)[len(*t)-1] = task{}
	*t = (*t)[:len(*t)-1]
	return last
}
