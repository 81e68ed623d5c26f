package main

import (
	"context"

	"github.com/spf13/cobra"

	"mkio-bridge/internal/eventlog"
)

// stateOptions are the flags of state.
type stateOptions struct {
	selection
	table
	output format
}

func stateCommand(c *call) *cobra.Command {
	var o stateOptions
	cmd := &cobra.Command{
		Use:   "state",
		Short: "print the current state of resources",
		Example: `  mkio-bridge state --phase failed
  mkio-bridge state --kind live-event --project aurora-live --output yaml
  mkio-bridge state --kind job --state Processing --output name`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runState(cmd.Context(), c, o) },
	}
	o.addFilters(cmd)
	cmd.Flags().Func("older-than", "only resources that have their state since before this `TIME`: "+eventlog.TimeForms, parsed(&o.query.InStateBefore, eventlog.ParseTime))
	o.addHeadersFlag(cmd)
	outputFlag(cmd, &o.output, "the resource's last CloudEvent", resourcePathForm)
	return cmd
}

func runState(ctx context.Context, c *call, o stateOptions) error {
	c.warnOfStates(o.query.Kind, o.query.State)
	log, done, err := c.openLog(ctx)
	if err != nil {
		return err
	}
	defer done()
	if o.output == formatText {
		o.header(c.stdout, "%-58s  %-24s  %-12s  %-23s  %6s", "RESOURCE", "STATE", "PHASE", "SINCE", "EVENT")
	}
	return c.printer().print(log.RawState(ctx, o.query), o.output, c.colour().stateLine)
}
