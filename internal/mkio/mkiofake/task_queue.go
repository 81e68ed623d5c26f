package mkiofake

import (
	"container/heap"
	"time"
)

// A task is a step of a script, or an attempt of a delivery.
type task struct {
	due      time.Time // steady
	order    uint64    // among tasks due at the same time
	step     *Step
	delivery *delivery
}

// A taskQueue holds the tasks, earliest first.
type taskQueue struct {
	tasks    tasks
	order    uint64
	inFlight int           // popped and not done
	changed  chan struct{} // signals a push
	idle     chan struct{} // closed while no task is queued or in flight
}

func newTaskQueue() taskQueue {
	q := taskQueue{changed: make(chan struct{}, 1), idle: make(chan struct{})}
	close(q.idle)
	return q
}

func (q *taskQueue) push(t task) {
	if len(q.tasks)+q.inFlight == 0 {
		q.idle = make(chan struct{})
	}
	q.order++
	t.order = q.order
	heap.Push(&q.tasks, t)
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

// pop removes the next task if it is due; else it returns how long until one is. ok is false if the queue is empty.
func (q *taskQueue) pop(now time.Time) (t task, wait time.Duration, ok bool) {
	if len(q.tasks) == 0 {
		return task{}, 0, false
	}
	if wait := q.tasks[0].due.Sub(now); wait > 0 {
		return task{}, wait, true
	}
	q.inFlight++
	return heap.Pop(&q.tasks).(task), 0, true
}

// done ends a popped task, after its follow-up tasks were pushed.
func (q *taskQueue) done() {
	q.inFlight--
	if len(q.tasks)+q.inFlight == 0 {
		close(q.idle)
	}
}

// tasks implements heap.Interface.
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
