package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"mkio-bridge/internal/durations"
	"mkio-bridge/internal/eventlog"
)

// stateOptions are the flags of state.
type stateOptions struct {
	selection
	table
	output format
	stuck  bool
}

func stateCommand(c *call) *cobra.Command {
	var o stateOptions
	cmd := &cobra.Command{
		Use:   "state",
		Short: "print the current state of resources",
		Example: `  mkio-bridge state --phase failed
  mkio-bridge state --kind live-event --project aurora-live --output yaml
  mkio-bridge state --kind job --state Processing --output name
  mkio-bridge state --stuck`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runState(cmd.Context(), c, o) },
	}
	o.addFilters(cmd)
	cmd.Flags().Func("older-than", "only resources that have their state since before this `TIME`: "+eventlog.TimeForms, parsed(&o.query.InStateBefore, eventlog.ParseTime))
	cmd.Flags().BoolVar(&o.stuck, "stuck", false, stuckUsage)
	o.addHeadersFlag(cmd)
	outputFlag(cmd, &o.output, "the resource's last CloudEvent", resourcePathForm)
	return cmd
}

// stuckUsage describes --stuck with the limits that the log, the API and the metric have too.
var stuckUsage = fmt.Sprintf("only resources that are in their state for longer than %d times the 95th percentile of their kind and state\n"+
	"or, with fewer than %d samples, than a fixed time", durations.Factor, durations.MinSamples)

func runState(ctx context.Context, c *call, o stateOptions) error {
	c.warnOfStates(o.query.Kinds, o.query.States)
	log, done, err := c.openLog(ctx)
	if err != nil {
		return err
	}
	defer done()
	line := c.colour().stateLine(nil)
	if o.output == formatText {
		// Without it the column just lacks the percentages: the bucket is optional, and a reader may not have the right to read it.
		progress, _ := log.Progress(ctx)
		line = c.colour().stateLine(progress)
		o.header(c.stdout, "%-58s  %-24s  %-12s  %-23s  %6s", "RESOURCE", "STATE", "PHASE", "SINCE", "EVENT")
	}
	resources := log.RawState(ctx, o.query)
	if o.stuck {
		resources = log.StuckState(ctx, o.query, time.Now())
	}
	return c.printer().print(resources, o.output, line)
}
