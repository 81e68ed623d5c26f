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

// waitOptions are the arguments and flags of wait.
type waitOptions struct {
	key     lifecycle.Key
	goal    wait.Goal
	since   *wait.Position // nil: the last event counts, whenever it was recorded
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
	var last *eventlog.LoggedEvent
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
func (c *call) parseWait() (waitOptions, error) {
	var w waitOptions
	set := c.flags()
	set.Func("for", "states to wait for, comma-separated, case-insensitive; unset means the empty state", func(v string) error {
		w.goal.States = splitList(v)
		return nil
	})
	set.Func("for-phase", "phase to wait for: "+phaseList(), parsed(&w.goal.Phase, lifecycle.ParsePhase))
	set.Func("since", "only events recorded after this count: "+eventlog.TimeForms+",\nor the sequence of the last event before.\n"+
		"To wait for a job that is recreated under an old name, give a time before its creation", func(v string) error {
		w.since = new(wait.Position)
		return parsed(w.since, wait.ParsePosition)(v)
	})
	set.DurationVar(&w.timeout, "timeout", 0, "maximum time to wait (default: no limit)")
	outputFlag(set, &w.output, "the CloudEvent")
	arguments, err := c.parse(set, maxNames+2)
	if err != nil {
		return w, err
	}
	if (len(w.goal.States) == 0) == (w.goal.Phase == "") {
		return w, usageError{errors.New("set exactly one of --for and --for-phase")}
	}
	if len(arguments) < 3 {
		return w, usageError{errors.New("resource missing: KIND PROJECT NAME…, e.g. job aurora-vod ladder-hd ep-0417")}
	}
	if w.key, err = lifecycle.NewKey(lifecycle.Kind(arguments[0]), arguments[1], arguments[2:]...); err != nil {
		return w, usageError{err}
	}
	return w, nil
}

// maxNames is the maximum number of names that identify a resource in its project.
const maxNames = 3

// errTimedOut ends a wait after --timeout: exit code 3.
var errTimedOut = errors.New("timed out")

func phaseList() string {
	var names []string
	for _, p := range lifecycle.Phases() {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}
