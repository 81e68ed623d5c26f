package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"mkio-bridge/internal/admin"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/printable"
)

// listUnappliedOptions are the flags of unapplied list.
type listUnappliedOptions struct {
	unappliedFlags
	table
	output format
}

func listUnappliedCommand(c *call) *cobra.Command {
	var o listUnappliedOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "list stored deliveries, oldest first",
		Example: `  mkio-bridge unapplied list --reason conflict --since 1d
  mkio-bridge unapplied list --kind job --output name | xargs mkio-bridge unapplied retry`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runListUnapplied(cmd.Context(), c, o) },
	}
	o.add(cmd, 0)
	o.addHeadersFlag(cmd)
	outputFlag(cmd, &o.output, "a delivery, with its body", "SEQUENCE")
	return cmd
}

func runListUnapplied(ctx context.Context, c *call, o listUnappliedOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	log, done, err := c.openLog(ctx)
	if err != nil {
		return err
	}
	defer done()
	o.query.NoBody = !o.output.isObject()
	if o.output == formatText {
		o.header(c.stdout, "%8s  %-19s  %-12s  %-58s  %s", "SEQUENCE", "RECEIVED", "REASON", "RESOURCE", "DETAIL")
	}
	more, err := o.each(ctx, log, func(k eventlog.Unapplied) (err error) {
		switch o.output {
		case formatJSON, formatYAML:
			err = o.output.print(c.stdout, admin.NewUnappliedView(log.Names(), k))
		case formatName:
			_, err = fmt.Fprintln(c.stdout, k.Sequence)
		case formatText:
			_, err = fmt.Fprintf(c.stdout, "%8d  %s  %-12s  %-58s  %s\n", k.Sequence, k.Received.UTC().Format(time.DateTime),
				printable.Name(string(k.Reason)), unappliedResource(log.Names(), k), printable.Sentence(k.Detail))
		}
		return err
	})
	if more {
		fmt.Fprintf(c.stderr, "there are more than --limit %d\n", o.limit)
	}
	return err
}
