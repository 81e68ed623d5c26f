package main

import (
	"context"
	"errors"
	"iter"

	"github.com/spf13/cobra"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// eventsOptions are the flags of events.
type eventsOptions struct {
	selection
	tail, limit uint
	output      format
}

func eventsCommand(c *call) *cobra.Command {
	var o eventsOptions
	cmd := &cobra.Command{
		Use:   "events",
		Short: "read the event log",
		Example: `  mkio-bridge events --tail 20 --follow
  mkio-bridge events --kind job --state Error --since 1d
  mkio-bridge events --project aurora-vod --output json | jq .data.state`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runEvents(cmd.Context(), c, o) },
	}
	o.addFilters(cmd)
	cmd.Flags().Func("resource", "only this `RESOURCE`: "+resourcePathForm+"; excludes --kind, --project and --name", func(text string) error {
		key, err := eventlog.ParseResource(text)
		o.query.Resource = &key
		return err
	})
	o.addRange(cmd)
	cmd.Flags().BoolVar(&o.query.Follow, "follow", false, "wait for new events at the end of the log")
	cmd.Flags().UintVar(&o.tail, "tail", 0, "only the last `N` events that match (default: all), and with --follow the new ones")
	cmd.Flags().UintVar(&o.limit, "limit", 0, "end after `N` events that match (default: no limit)")
	outputFlag(cmd, &o.output, "the CloudEvent", resourcePathForm)
	return cmd
}

func runEvents(ctx context.Context, c *call, o eventsOptions) error {
	if err := o.checkRange(); err != nil {
		return err
	}
	if o.tail > 0 && o.limit > 0 {
		return usageError{errors.New("--tail and --limit exclude each other")}
	}
	if q := o.query; q.Resource != nil {
		if len(q.Kinds) > 0 || len(q.Projects) > 0 || q.Name != "" {
			return usageError{errors.New("--resource excludes --kind, --project and --name: it has them all")}
		}
		o.query.Kinds = []lifecycle.Kind{q.Resource.Kind}
	}
	c.warnOfStates(o.query.Kinds, o.query.States)
	log, done, err := c.openLog(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err := o.checkPosition(ctx, log); err != nil {
		return err
	}
	events := log.Raw(ctx, o.query)
	if o.tail > 0 {
		events = log.Tail(ctx, o.query, o.tail)
	}
	return c.printer().print(first(o.limit, events), o.output, c.colour().eventLine)
}

// first ends an iteration after n events; 0: it does not.
func first(n uint, events iter.Seq2[eventlog.Raw, error]) iter.Seq2[eventlog.Raw, error] {
	return func(yield func(eventlog.Raw, error) bool) {
		count := uint(0)
		for e, err := range events {
			if count++; !yield(e, err) || count == n {
				return
			}
		}
	}
}
