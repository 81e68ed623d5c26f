package wait

import (
	"context"
	"fmt"
	"iter"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// A judge decides which event of a resource ends a wait since a position. It gets all events of the resource, oldest first.
//
// A life of a name begins with its first event, or with the event after a Deleted. Of a life that began at or after the
// position, every event counts. Of an older life, the events after the position count as long as the life continues (a
// channel that is started again, a job that was running), with two exceptions: its Deleted counts only if the goal is a
// deletion, and an event that MK.IO dates before the position does not count, because it was only recorded late.
type judge struct {
	goal     Goal
	since    Position
	caughtUp bool // all events that the log had at the start were judged: from now on an event decides at once

	last      *eventlog.LoggedEvent // the newest event
	oldLife   bool                  // the life of the newest event began before the position
	candidate *eventlog.LoggedEvent // ends the wait unless its old life turns out to be over
}

// ends reports whether an event ends the wait.
func (j *judge) ends(e *eventlog.LoggedEvent) bool {
	d := e.Event.Data
	j.last = e
	if d.PreviousState == nil || lifecycle.SameState(*d.PreviousState, lifecycle.StateDeleted) {
		// A discovered resource existed before the first sweep: the time of its recording does not date it.
		j.oldLife = !j.since.includes(*e) || e.Event.Type() == event.TypeOf(d.Kind, true)
	}
	gone := d.Phase == lifecycle.Gone
	if gone && j.oldLife {
		j.candidate = nil
	}
	switch reached := j.goal.reachedBy(*e); {
	case !j.since.includes(*e), j.oldLife && j.since.datedBefore(*e):
		return false
	case !reached && (!terminal(d.Phase) || gone && j.oldLife):
		return false
	case j.caughtUp, !j.oldLife, gone:
		return true
	}
	if j.candidate == nil {
		j.candidate = e
	}
	return false
}

// read returns the event that ends the wait; nil with an error, or if the context ends.
func (j *judge) read(ctx context.Context, log *eventlog.Log, key lifecycle.Key) (*eventlog.LoggedEvent, error) {
	if err := j.since.validate(ctx, log); err != nil {
		return nil, err
	}
	if end, err := j.firstEnd(log.History(ctx, key)); end != nil || err != nil {
		return end, err
	}
	if j.candidate != nil {
		return j.candidate, nil
	}
	j.caughtUp = true
	next := uint64(1)
	if j.last != nil {
		next = j.last.Sequence + 1
	}
	return j.firstEnd(log.Events(ctx, eventlog.Query{Resource: &key, From: next, Follow: true}))
}

// firstEnd returns the first event that ends the wait; nil if none does.
func (j *judge) firstEnd(entries iter.Seq2[eventlog.LoggedEvent, error]) (*eventlog.LoggedEvent, error) {
	for e, err := range entries {
		if err != nil {
			return nil, err
		}
		if j.ends(&e) {
			return &e, nil
		}
	}
	return nil, nil
}

// describe describes the resource, for the error of a wait whose context ended.
func (j *judge) describe(key lifecycle.Key) string {
	switch {
	case j.last == nil:
		return fmt.Sprintf("the log has no event of %s", key)
	case j.since.includes(*j.last):
		return fmt.Sprintf("%s is %s, and nothing recorded since %s ended the wait", key, j.last.StateText(), j.since)
	}
	return fmt.Sprintf("%s is %s, and nothing was recorded since %s: its last event, %d, is of %s",
		key, j.last.StateText(), j.since, j.last.Sequence, j.last.Event.RecordedTime.Format(time.RFC3339Nano))
}
