package economy

import (
	"slices"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// A Timeline is what happened to all resources on a day, by offsets from its begin.
type Timeline struct {
	Length time.Duration
	Lives  []*Life
}

// A Life is the existence of one resource under a name.
type Life struct {
	Key     lifecycle.Key
	ID      string
	Changes []Change // the first one is the creation, also where that was before the day
}

// A Change is a new state of a life, or its deletion.
type Change struct {
	State string
	At    time.Duration // negative: before the day
}

// NewTimeline returns the timeline of a day from the changes of a simulated MK.IO.
func NewTimeline(changes []mkiofake.Change, begin time.Time, length time.Duration) Timeline {
	t := Timeline{Length: length}
	lives := map[string]*Life{}
	for _, c := range changes {
		life := lives[c.Life]
		if life == nil {
			life = &Life{Key: c.Key, ID: c.Life}
			lives[c.Life] = life
			t.Lives = append(t.Lives, life)
		}
		life.Changes = append(life.Changes, Change{c.State, c.RealTime.Sub(begin)})
	}
	return t
}

// until returns when a change ends: at the next change of the life, or after the day.
func (l *Life) until(i int) time.Duration {
	if i+1 < len(l.Changes) {
		return l.Changes[i+1].At
	}
	return never
}

// never is an offset after every day.
const never = time.Duration(1<<63 - 1)

// created and deleted return when the life began and ended.
func (l *Life) created() time.Duration { return l.Changes[0].At }

func (l *Life) deleted() time.Duration {
	if last := l.Changes[len(l.Changes)-1]; last.isDeletion() {
		return last.At
	}
	return never
}

func (c Change) isDeletion() bool { return c.State == lifecycle.StateDeleted }

// isFinal reports whether a change is the last state of its life in which it rests. Deleting is not: a deletion follows it.
func (l *Life) isFinal(i int) bool {
	return l.restsIn(l.Changes[i]) && !slices.ContainsFunc(l.Changes[i+1:], l.restsIn)
}

func (l *Life) restsIn(c Change) bool {
	return !c.isDeletion() && !lifecycle.InMotion(l.Key.Kind, c.State, "")
}

// onDay reports whether a change happened on the day.
func (t Timeline) onDay(c Change) bool { return c.At >= 0 && c.At < t.Length }

// changeTimes returns the times of the changes and deletions of the day, in no order.
func (t Timeline) changeTimes() []time.Duration {
	var times []time.Duration
	for _, l := range t.Lives {
		for _, c := range l.Changes {
			if t.onDay(c) {
				times = append(times, c.At)
			}
		}
	}
	return times
}
