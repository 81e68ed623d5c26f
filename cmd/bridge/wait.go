package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/spelling"
	"mkio-bridge/internal/wait"
)

// waitOptions are the arguments and flags of wait.
type waitOptions struct {
	key     lifecycle.Key
	goal    wait.Goal
	since   *wait.Position // nil: the last event counts, whenever it was recorded
	timeout time.Duration
	output  format
}

func waitCommand(c *call) *cobra.Command {
	var w waitOptions
	cmd := &cobra.Command{
		Use:   "wait {KIND PROJECT NAME… | KIND/PROJECT/NAME…}",
		Short: "wait until a resource reaches a state or phase",
		Long: "wait until a resource reaches a state or phase\n\n" +
			"The exit code is 0 when it is reached, 1 when the resource ended in another state (of phase succeeded, failed, canceled or\n" +
			"gone), 3 when --timeout expired, and 4 when NATS cannot be reached.\n\n" +
			"KIND/PROJECT/NAME… is what --output name prints.",
		Example: `  mkio-bridge wait job aurora-vod ladder-hd ep-0417 --for-phase succeeded --timeout 1h
  mkio-bridge wait live-event aurora-live studio-1 --for Running --since 5m
  mkio-bridge wait job/aurora-vod/ladder-hd/ep-0417 --for-phase succeeded`,
		Args:              atMost(lifecycle.MaxDepth + 2),
		ValidArgsFunction: completeResource,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if w.key, err = resourceOf(args); err != nil {
				return usageError{err}
			}
			return runWait(cmd.Context(), c, w)
		},
	}
	w.addFlags(cmd)
	return cmd
}

func (w *waitOptions) addFlags(cmd *cobra.Command) {
	set := cmd.Flags()
	set.Func("for", "`STATES` to wait for, comma-separated, case-insensitive; unset means the empty state", func(v string) error {
		w.goal.States = splitList(v)
		return nil
	})
	wordFlag(cmd, &w.goal.Phase, "for-phase", "`PHASE` to wait for: "+words(lifecycle.Phases()), lifecycle.ParsePhase, lifecycle.Phases())
	set.Func("since", "only events recorded after this `TIME` count: "+eventlog.TimeForms+",\nor the sequence of the last event before.\n"+
		"To wait for a job that is recreated under an old name, give a time before its creation", func(v string) error {
		w.since = new(wait.Position)
		return parsed(w.since, wait.ParsePosition)(v)
	})
	set.DurationVar(&w.timeout, "timeout", 0, "maximum time to wait (default: no limit)")
	outputFlag(cmd, &w.output, "the CloudEvent", resourcePathForm)
	completeFlag(cmd, "for", completeStateOfArgument)
}

// resourceOf returns the resource that arguments name: KIND PROJECT NAME…, or one argument as resourcePath returns it.
func resourceOf(args []string) (lifecycle.Key, error) {
	if len(args) == 1 {
		args = strings.Split(args[0], "/")
		for i, escaped := range args {
			name, err := url.PathUnescape(escaped)
			if err != nil {
				return lifecycle.Key{}, fmt.Errorf("%q is not as --output name prints it: %w", escaped, err)
			}
			args[i] = name
		}
	}
	if len(args) < 3 {
		return lifecycle.Key{}, errors.New("resource missing: KIND PROJECT NAME…, e.g. job aurora-vod ladder-hd ep-0417")
	}
	if _, err := lifecycle.ParseKind(args[0]); err != nil {
		return lifecycle.Key{}, fmt.Errorf("%w; did you mean %s?", err, spelling.Nearest(args[0], asStrings(lifecycle.Kinds())))
	}
	return lifecycle.NewKey(lifecycle.Kind(args[0]), args[1], args[2:]...)
}

func runWait(ctx context.Context, c *call, w waitOptions) error {
	if (len(w.goal.States) == 0) == (w.goal.Phase == "") {
		return usageError{errors.New("set exactly one of --for and --for-phase")}
	}
	c.warnOfStates([]lifecycle.Kind{w.key.Kind}, w.goal.States)
	if w.since != nil && w.since.Time.After(time.Now()) {
		fmt.Fprintf(c.stderr, "%s: --since %s is in the future by this machine's clock: nothing recorded before it counts\n", c.command, w.since)
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
	last, err := w.wait(ctx, log)
	if past, ok := errors.AsType[*wait.PastEndError](err); ok {
		return usageError{fmt.Errorf("--since %w", past)}
	}
	if last != nil && (err == nil || !errors.Is(err, errTimedOut)) {
		p := c.printer()
		err = errors.Join(err, p.event(last.Raw, w.output, c.colour().eventLine), p.out.Flush())
	}
	return err
}

// wait returns the event that reached the goal, or that ended the wait otherwise.
func (w waitOptions) wait(ctx context.Context, log *eventlog.Log) (*eventlog.LoggedEvent, error) {
	if w.since == nil {
		return wait.For(ctx, log, w.key, w.goal)
	}
	return wait.Since(ctx, log, w.key, w.goal, *w.since)
}

// errTimedOut ends a wait after --timeout: exit code 3.
var errTimedOut = errors.New("timed out")
