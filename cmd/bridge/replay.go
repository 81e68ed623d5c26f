package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/replay"
)

// replayOptions are the argument and flags of replay.
type replayOptions struct {
	selection
	prefix string
	rate   float64
	live   bool
}

func replayCommand(c *call) *cobra.Command {
	var o replayOptions
	cmd := &cobra.Command{
		Use:   "replay PREFIX",
		Short: "republish events in order under another subject prefix",
		Example: `  nats stream add REPLAY --subjects 'replay.>' --defaults
  mkio-bridge replay replay --since 1d --kind job
  mkio-bridge replay replay --live --rate 100`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("subject prefix missing: name the one to publish under, e.g. replay")}
			}
			o.prefix = args[0]
			return runReplay(cmd.Context(), c, o)
		},
	}
	o.addFilters(cmd)
	o.addRange(cmd)
	cmd.Flags().Uint64Var(&o.query.To, "to-seq", 0, "last `SEQUENCE` to republish, inclusive (default: the end of the log)")
	cmd.Flags().Float64Var(&o.rate, "rate", 1000, "maximum events per second; 0: no limit")
	cmd.Flags().BoolVar(&o.live, "live", false, "publish to current subscribers only, not to a stream")
	return cmd
}

func runReplay(ctx context.Context, c *call, o replayOptions) error {
	if err := o.checkRange(); err != nil {
		return err
	}
	if o.rate < 0 {
		return usageError{fmt.Errorf("--rate %v must not be negative", o.rate)}
	}
	c.warnOfStates(o.query.Kinds, o.query.States)
	settings, err := loadConfig()
	if err != nil {
		return usageError{err}
	}
	nc, js, err := c.connect(ctx, settings, c.logger(settings))
	if err != nil {
		return err
	}
	defer nc.Close()
	progress := c.progress()
	conf := replay.Config{Query: o.query, Prefix: o.prefix, Rate: o.rate, Step: progress.step}
	names := event.NewNames(settings.SubjectPrefix)
	var result replay.Result
	if o.live {
		result, err = replay.Live(ctx, nc, js, names, conf)
	} else {
		result, err = replay.Stored(ctx, js, names, conf)
	}
	progress.clear()
	if err == nil || result.Count > 0 {
		c.printReplay(result, o.prefix)
	}
	return err
}

// printReplay prints what was published, also when the replay then failed.
func (c *call) printReplay(r replay.Result, prefix string) {
	switch {
	case r.Count > 0:
		fmt.Fprintf(c.stdout, "%d events, %d to %d, were published under %s\n", r.Count, r.From, r.Last, prefix)
	case r.Last > 0:
		fmt.Fprintf(c.stdout, "nothing to publish: %s has all events up to %d\n", prefix, r.Last)
	default:
		fmt.Fprintf(c.stdout, "nothing to publish: no event matches\n")
	}
}
