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

// A judge decides which event of a resource ends a wait since a position. It is given all of them, oldest first.
//
// A life of a name begins with its first event, or with the one behind a Deleted. Of a life that began at the position
// or later everything counts. Of an earlier one the events since the position count as long as it goes on (a channel that
// is started again, a job that was running), with two exceptions: its Deleted only where somebody waits for that, and
// what MK.IO dates before the position not at all, since it was only recorded late.
type judge struct {
	goal     Goal
	since    Position
	caughtUp bool // all that the log had when the wait began was judged: each event decides at once

	last    *eventlog.Entry // the newest event
	earlier bool            // its life began before the position
	held    *eventlog.Entry // would end the wait, if the earlier life that it is of is not over
}

// ends says whether an event ends the wait.
func (j *judge) ends(e *eventlog.Entry) bool {
	d := e.Event.Data
	j.last = e
	if d.PreviousState == nil || lifecycle.SameState(*d.PreviousState, lifecycle.StateDeleted) {
		// A discovered resource was there before anybody looked: that it was recorded since then does not date it.
		j.earlier = !j.since.includes(*e) || e.Event.Type == event.TypeOf(d.Kind, true)
	}
	gone := d.Phase == lifecycle.Gone
	if gone && j.earlier {
		j.held = nil
	}
	switch reached := j.goal.reached(*e); {
	case !j.since.includes(*e), j.earlier && j.since.outdated(*e):
		return false
	case !reached && (!ended(d.Phase) || gone && j.earlier):
		return false
	case j.caughtUp, !j.earlier, gone:
		return true
	}
	if j.held == nil {
		j.held = e
	}
	return false
}

// read returns the event that ends the wait; nil with an error, or when the context ends.
func (j *judge) read(ctx context.Context, log *eventlog.Log, key lifecycle.Key) (*eventlog.Entry, error) {
	if err := j.since.check(ctx, log); err != nil {
		return nil, err
	}
	if end, err := j.first(log.History(ctx, key)); end != nil || err != nil {
		return end, err
	}
	if j.held != nil {
		return j.held, nil
	}
	j.caughtUp = true
	next := uint64(1)
	if j.last != nil {
		next = j.last.Sequence + 1
	}
	return j.first(log.Events(ctx, eventlog.Query{Resource: &key, From: next, Follow: true}))
}

// first returns the first event that ends the wait; nil for none.
func (j *judge) first(entries iter.Seq2[eventlog.Entry, error]) (*eventlog.Entry, error) {
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

// stand says in words where a wait that was given up stood.
func (j *judge) stand(key lifecycle.Key) string {
	switch {
	case j.last == nil:
		return fmt.Sprintf("the log has no event of %s", key)
	case j.since.includes(*j.last):
		return fmt.Sprintf("%s is %s, and nothing recorded since %s ended the wait", key, j.last.Shown(), j.since)
	}
	return fmt.Sprintf("%s is %s, and nothing was recorded since %s: its last event, %d, is of %s",
		key, j.last.Shown(), j.since, j.last.Sequence, j.last.Event.RecordedTime.Format(time.RFC3339Nano))
}
