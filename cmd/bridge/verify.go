package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/doctor"
	"mkio-bridge/internal/event"
)

// verifyOptions are the flags of verify.
type verifyOptions struct {
	root   *audit.Root // nil: none was given
	erased audit.Sequences
	output format
}

func verifyCommand(c *call) *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "verify the log's hash chains, and print a root over them",
		Example: `  mkio-bridge verify
  mkio-bridge verify --root "$(cat root-of-last-month.txt)" --erased 12,40-44`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runVerify(cmd.Context(), c, o) },
	}
	cmd.Flags().Func("root", "also verify that nothing was changed or truncated since this `ROOT` was printed; accepts the whole line", func(v string) error {
		r, err := audit.ParseRoot(v)
		o.root = &r
		return err
	})
	cmd.Flags().Func("erased", "`SEQUENCES` of events that were erased on purpose, e.g. 12,40-44", func(v string) error {
		more, err := audit.ParseSequences(v)
		o.erased = append(o.erased, more...)
		return err
	})
	outputFlag(cmd, &o.output, "the result", "")
	return cmd
}

func runVerify(ctx context.Context, c *call, o verifyOptions) error {
	conf, err := loadConfig()
	if err != nil {
		return usageError{err}
	}
	nc, js, err := c.connect(ctx, conf, c.logger(conf))
	if err != nil {
		return err
	}
	defer nc.Close()
	progress := c.progress()
	report, err := audit.Verify(ctx, js, event.NewNames(conf.SubjectPrefix), audit.Options{Root: o.root, Erased: o.erased.Has, Step: progress.step})
	progress.clear()
	if err != nil {
		return err
	}
	if o.output.isObject() {
		err = o.output.print(c.stdout, report)
	} else {
		err = c.verifyText(report, o.root)
	}
	if err == nil && report.Wrong > 0 {
		err = errors.New("the log has broken chains")
	}
	return err
}

func (c *call) verifyText(r *audit.Report, root *audit.Root) error {
	verdict := c.colour().ofLevel(doctor.Failed, "WRONG")
	for _, wrong := range r.Errors {
		fmt.Fprintln(c.stdout, verdict, wrong)
	}
	if more := r.Wrong - len(r.Errors); more > 0 {
		fmt.Fprintf(c.stdout, "%s and %d more\n", verdict, more)
	}
	if r.Wrong == 0 {
		fmt.Fprintf(c.stdout, "every chain is whole: %d events of %d resources, %d to %d\n", r.Events, r.Resources, r.First, r.Last)
		if root != nil {
			fmt.Fprintf(c.stdout, "nothing up to event %d was changed or truncated since the root was printed\n", root.Sequence)
		}
	}
	_, err := fmt.Fprintf(c.stdout, "%s %s\n", audit.RootLabel, r.Root)
	return err
}
