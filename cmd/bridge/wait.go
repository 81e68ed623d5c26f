package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// A goal is what somebody waits for: one of some states, or a phase.
type goal struct {
	states []string
	phase  lifecycle.Phase
}

func (g goal) reached(e eventlog.Entry) bool {
	if g.phase != "" {
		return e.Event.Data.Phase == g.phase
	}
	return slices.ContainsFunc(g.states, func(s string) bool { return event.StateToken(s) == event.StateToken(e.Event.Data.State) })
}

// ended says whether a resource came to an end, from where it does not move on by itself.
func ended(phase lifecycle.Phase) bool {
	return slices.Contains([]lifecycle.Phase{lifecycle.Succeeded, lifecycle.Failed, lifecycle.Canceled, lifecycle.Gone}, phase)
}

// A waiting is what a call of wait asks for.
type waiting struct {
	key     lifecycle.Key
	goal    goal
	since   *position // nil: the last event counts, whenever it was recorded, and all that comes
	timeout time.Duration
	output  string
}

func runWait(ctx context.Context, c *call) error {
	w, err := c.parseWait()
	if err != nil {
		return err
	}
	if w.since != nil && w.since.time.After(time.Now()) {
		fmt.Fprintf(c.stderr, "bridge wait: --since %s is in the future by this machine's clock: nothing recorded before it counts\n", w.since)
	}
	if w.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, w.timeout, errTimedOut)
		defer cancel()
	}
	log, done, err := c.openLog(ctx)
	if err != nil {
		return err
	}
	defer done()
	var last *eventlog.Entry
	if w.since == nil {
		last, err = await(ctx, log, w.key, w.goal)
	} else {
		last, err = awaitSince(ctx, log, w.key, w.goal, *w.since)
	}
	if last != nil && (err == nil || !errors.Is(err, errTimedOut)) {
		p := c.printer()
		if w.output == "json" {
			_, _ = fmt.Fprintf(p.out, "%s\n", last.Payload)
		} else {
			_, _ = fmt.Fprintln(p.out, eventLine(*last))
		}
		err = errors.Join(err, p.out.Flush())
	}
	return err
}

// parseWait reads the flags and arguments of wait.
func (c *call) parseWait() (waiting, error) {
	var w waiting
	set := c.flags()
	set.Func("for", "these states, comma-separated, without regard to case; unset is the empty one", func(v string) error {
		w.goal.states = splitList(v)
		return nil
	})
	set.Func("for-phase", "this phase: "+phaseList(), parsed(&w.goal.phase, lifecycle.ParsePhase))
	set.Func("since", "only what was recorded since then counts: "+eventlog.TimeForms+",\nor the sequence of the last event before.\n"+
		"A job made anew under an old name is waited for from a moment before it was made", positionFlag(&w.since))
	set.DurationVar(&w.timeout, "timeout", 0, "wait no longer than this (default: for ever)")
	outputFlag(set, &w.output, "the CloudEvent")
	arguments, err := c.parse(set, maxNames+2)
	if err != nil {
		return w, err
	}
	if (len(w.goal.states) == 0) == (w.goal.phase == "") {
		return w, usageError{errors.New("give one of --for and --for-phase")}
	}
	if len(arguments) < 3 {
		return w, usageError{errors.New("name a resource: KIND PROJECT NAME…, e.g. job aurora-vod ladder-hd ep-0417")}
	}
	if w.key, err = lifecycle.NewKey(lifecycle.Kind(arguments[0]), arguments[1], arguments[2:]...); err != nil {
		return w, usageError{err}
	}
	return w, nil
}

// maxNames is how many names a resource has at the most.
const maxNames = 3

// errTimedOut is for a wait that was given up.
var errTimedOut = errors.New("timed out")

// await returns the event that reached a goal, or the last one and an error.
func await(ctx context.Context, log *eventlog.Log, key lifecycle.Key, g goal) (last *eventlog.Entry, err error) {
	for e, err := range log.Watch(ctx, key) {
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			return last, err
		}
		last = &e
		switch {
		case g.reached(e):
			return last, nil
		case ended(e.Event.Data.Phase):
			return last, endedOtherwise(key, e)
		}
	}
	if last == nil {
		return nil, fmt.Errorf("%w: the log has no event of %s", context.Cause(ctx), key)
	}
	return last, fmt.Errorf("%w: %s is %s", context.Cause(ctx), key, stateOf(*last))
}

func endedOtherwise(key lifecycle.Key, e eventlog.Entry) error {
	return fmt.Errorf("%s ended otherwise: %s, phase %s", key, stateOf(e), e.Event.Data.Phase)
}

func phaseList() string {
	var names []string
	for _, p := range lifecycle.Phases() {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}
