package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// A position is from where on events count for a wait: what was recorded after a sequence, or at a time and later.
type position struct {
	sequence uint64
	time     time.Time // zero: it is a sequence
}

// positionFlag reads a position: the sequence of an event, or what [eventlog.ParseTime] reads.
func positionFlag(into **position) func(string) error {
	return func(v string) error {
		sequence, err := strconv.ParseUint(v, 10, 64)
		if err == nil {
			*into = &position{sequence: sequence}
			return nil
		}
		if errors.Is(err, strconv.ErrRange) {
			return fmt.Errorf("%s is larger than any sequence", v)
		}
		at, err := eventlog.ParseTime(v)
		if err != nil {
			return fmt.Errorf("%w, nor the sequence of an event such as 4711", err)
		}
		*into = &position{time: at}
		return nil
	}
}

func (p position) String() string {
	if p.time.IsZero() {
		return fmt.Sprintf("event %d", p.sequence)
	}
	return p.time.UTC().Format(time.RFC3339Nano)
}

// check refuses a sequence that the log has not reached: it is of another log, and all that comes would count only much
// later, or never.
func (p position) check(ctx context.Context, log *eventlog.Log) error {
	if !p.time.IsZero() {
		return nil
	}
	info, err := log.Stream(ctx)
	if err != nil {
		return err
	}
	if last := info.State.LastSeq; p.sequence > last {
		return usageError{fmt.Errorf("--since %d is past the end of %s, whose last event is %d: "+
			"give a sequence of this log (0: its beginning), or a time", p.sequence, info.Config.Name, last)}
	}
	return nil
}

// includes says whether an event was recorded after the position. An event has its recordedtime in whole milliseconds.
func (p position) includes(e eventlog.Entry) bool {
	if p.time.IsZero() {
		return e.Sequence > p.sequence
	}
	return !e.Event.RecordedTime.Before(p.time.Truncate(time.Millisecond))
}

// outdated says whether MK.IO dates an event before the position. MK.IO gives some times in whole seconds. A sequence is
// no time, and dates nothing.
func (p position) outdated(e eventlog.Entry) bool {
	if e.Event.Data.Evidence.TimeFrom != event.TimeFromMKIO {
		return false
	}
	since := p.time
	if e.Event.Time.Nanosecond() == 0 {
		since = since.Truncate(time.Second)
	}
	return e.Event.Time.Before(since)
}

// A judge decides which event of a resource ends a wait since a position. It is given all of them, oldest first.
//
// A life of a name begins with its first event, or with the one behind a Deleted. Of a life that began at the position
// or later everything counts. Of an earlier one the events since the position count as long as it goes on (a channel that
// is started again, a job that was running), with two exceptions: its Deleted only where somebody waits for that, and
// what MK.IO dates before the position not at all, since it was only recorded late.
type judge struct {
	goal     goal
	since    position
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

// awaitSince is [await] of what was recorded since a position.
func awaitSince(ctx context.Context, log *eventlog.Log, key lifecycle.Key, g goal, since position) (last *eventlog.Entry, err error) {
	j := &judge{goal: g, since: since, earlier: true}
	end, err := j.read(ctx, log, key)
	switch {
	case ctx.Err() != nil && end == nil:
		return j.last, fmt.Errorf("%w: %s", context.Cause(ctx), j.stand(key))
	case err != nil:
		return j.last, err
	case !g.reached(*end):
		return end, endedOtherwise(key, *end)
	}
	return end, nil
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
		return fmt.Sprintf("%s is %s, and nothing recorded since %s ended the wait", key, stateOf(*j.last), j.since)
	}
	return fmt.Sprintf("%s is %s, and nothing was recorded since %s: its last event, %d, is of %s",
		key, stateOf(*j.last), j.since, j.last.Sequence, j.last.Event.RecordedTime.Format(time.RFC3339Nano))
}
