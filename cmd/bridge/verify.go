package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/doctor"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
)

// verifyOptions are the flags of verify.
type verifyOptions struct {
	root   *audit.Root // nil: none was given
	erased audit.Sequences
	output format

	evidence string // file; "": none
}

func verifyCommand(c *call) *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "verify the log's hash chains, and print a root over them",
		Example: `  mkio-bridge verify
  mkio-bridge verify --root "$(cat root-of-last-month.txt)" --erased 12,40-44
  mkio-bridge verify --evidence march.json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runVerify(cmd.Context(), c, o) },
	}
	cmd.Flags().Func("root", "also verify that nothing was changed or truncated since this `ROOT` was printed; accepts the whole line", func(v string) error {
		r, err := audit.ParseRoot(v)
		o.root = &r
		return err
	})
	erasedFlag(cmd, &o.erased, "")
	cmd.Flags().StringVar(&o.evidence, "evidence", "", "also verify that this evidence `FILE` was not changed, and that it is still true of the log")
	outputFlag(cmd, &o.output, "the result", "")
	return cmd
}

// erasedFlag defines --erased. when precedes its description.
func erasedFlag(cmd *cobra.Command, into *audit.Sequences, when string) {
	cmd.Flags().Func("erased", when+"`SEQUENCES` of events that were erased on purpose, e.g. 12,40-44", func(v string) error {
		more, err := audit.ParseSequences(v)
		*into = append(*into, more...)
		return err
	})
}

func runVerify(ctx context.Context, c *call, o verifyOptions) error {
	switch {
	case o.evidence != "" && o.root != nil:
		return usageError{errors.New("--root and --evidence exclude each other: the file has a root")}
	case o.evidence != "":
		return c.checkEvidence(ctx, o)
	}
	report, _, done, err := c.verifyLog(ctx, o)
	if err != nil {
		return err
	}
	defer done()
	if o.output.isObject() {
		err = o.output.print(c.stdout, report)
	} else {
		err = c.verifyText(report, o.root)
	}
	if err == nil && report.Wrong > 0 {
		err = errBroken
	}
	return err
}

// verifyLog verifies the log. The caller calls done when it has finished reading.
func (c *call) verifyLog(ctx context.Context, o verifyOptions) (report *audit.Report, log *eventlog.Log, done func(), err error) {
	conf, err := loadConfig()
	if err != nil {
		return nil, nil, nil, usageError{err}
	}
	nc, js, err := c.connect(ctx, conf, c.logger(conf))
	if err != nil {
		return nil, nil, nil, err
	}
	names, progress := event.NewNames(conf.SubjectPrefix), c.progress()
	report, err = audit.Verify(ctx, js, names, audit.Options{Root: o.root, Erased: o.erased.Has, Step: progress.step})
	progress.clear()
	if err != nil {
		nc.Close()
		return nil, nil, nil, err
	}
	return report, eventlog.New(js, names), nc.Close, nil
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
