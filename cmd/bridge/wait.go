package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/wait"
)

// A waiting is what a call of wait asks for.
type waiting struct {
	key     lifecycle.Key
	goal    wait.Goal
	since   *wait.Position // nil: the last event counts, whenever it was recorded, and all that comes
	timeout time.Duration
	output  string
}

func runWait(ctx context.Context, c *call) error {
	w, err := c.parseWait()
	if err != nil {
		return err
	}
	if w.since != nil && w.since.Time.After(time.Now()) {
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
		last, err = wait.For(ctx, log, w.key, w.goal)
	} else {
		last, err = wait.Since(ctx, log, w.key, w.goal, *w.since)
	}
	if past, ok := errors.AsType[*wait.PastEndError](err); ok {
		return usageError{fmt.Errorf("--since %w", past)}
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
		w.goal.States = splitList(v)
		return nil
	})
	set.Func("for-phase", "this phase: "+phaseList(), parsed(&w.goal.Phase, lifecycle.ParsePhase))
	set.Func("since", "only what was recorded since then counts: "+eventlog.TimeForms+",\nor the sequence of the last event before.\n"+
		"A job made anew under an old name is waited for from a moment before it was made", func(v string) error {
		w.since = new(wait.Position)
		return parsed(w.since, wait.ParsePosition)(v)
	})
	set.DurationVar(&w.timeout, "timeout", 0, "wait no longer than this (default: for ever)")
	outputFlag(set, &w.output, "the CloudEvent")
	arguments, err := c.parse(set, maxNames+2)
	if err != nil {
		return w, err
	}
	if (len(w.goal.States) == 0) == (w.goal.Phase == "") {
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

func phaseList() string {
	var names []string
	for _, p := range lifecycle.Phases() {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}
