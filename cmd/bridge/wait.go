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

func runWait(ctx context.Context, c *call) error {
	var g goal
	var timeout time.Duration
	var output string
	set := c.flags()
	set.Func("for", "these states, comma-separated, without regard to case; unset is the empty one", func(v string) error {
		g.states = splitList(v)
		return nil
	})
	set.Func("for-phase", "this phase: "+phaseList(), func(v string) error {
		g.phase = lifecycle.Phase(v)
		if !slices.Contains(lifecycle.Phases(), g.phase) {
			return fmt.Errorf("there is no phase %q; phases are %s", v, phaseList())
		}
		return nil
	})
	set.DurationVar(&timeout, "timeout", 0, "wait no longer than this (default: for ever)")
	outputFlag(set, &output, "the CloudEvent")
	arguments, err := c.parse(set, maxNames+2)
	if err != nil {
		return err
	}
	if (len(g.states) == 0) == (g.phase == "") {
		return usageError{errors.New("give one of --for and --for-phase")}
	}
	if len(arguments) < 3 {
		return usageError{errors.New("name a resource: KIND PROJECT NAME…, e.g. job aurora-vod ladder-hd ep-0417")}
	}
	key, err := lifecycle.NewKey(lifecycle.Kind(arguments[0]), arguments[1], arguments[2:]...)
	if err != nil {
		return usageError{err}
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, errTimedOut)
		defer cancel()
	}
	log, done, err := c.openLog(ctx)
	if err != nil {
		return err
	}
	defer done()
	last, err := await(ctx, log, key, g)
	if last != nil && (err == nil || !errors.Is(err, errTimedOut)) {
		p := c.printer()
		if output == "json" {
			_, _ = fmt.Fprintf(p.out, "%s\n", last.Payload)
		} else {
			_, _ = fmt.Fprintln(p.out, eventLine(*last))
		}
		err = errors.Join(err, p.out.Flush())
	}
	return err
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
			return last, fmt.Errorf("%s ended otherwise: %s, phase %s", key, stateOf(e), e.Event.Data.Phase)
		}
	}
	if last == nil {
		return nil, fmt.Errorf("%w: the log has no event of %s", context.Cause(ctx), key)
	}
	return last, fmt.Errorf("%w: %s is %s", context.Cause(ctx), key, stateOf(*last))
}

func phaseList() string {
	var names []string
	for _, p := range lifecycle.Phases() {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}
