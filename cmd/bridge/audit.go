package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/printable"
)

// auditOptions are the flags of audit.
type auditOptions struct {
	query audit.Query
	table
	output format

	evidence string // file; "": none
	erased   audit.Sequences
}

func auditCommand(c *call) *cobra.Command {
	var o auditOptions
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "report verified periods and gaps",
		Example: `  mkio-bridge audit --since 1d
  mkio-bridge audit --project aurora-vod --since 2031-03-01 --until 2031-04-01 --output json
  mkio-bridge audit --since 2031-03-01 --until 2031-04-01 --evidence march.json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runAudit(cmd.Context(), c, o) },
	}
	set, q := cmd.Flags(), &o.query
	kindFlag(cmd, &q.Kind, "only this `KIND`, e.g. job")
	set.StringVar(&q.Project, "project", "", "only this `PROJECT`")
	set.Func("since", "start of the period, inclusive (default: the first record); `TIME` is "+eventlog.TimeForms, parsed(&q.Since, eventlog.ParseTime))
	set.Func("until", "end of the period, exclusive (default: now); `TIME` as for --since", parsed(&q.Until, eventlog.ParseTime))
	completeFlag(cmd, "project", func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return completeProject(&[]lifecycle.Kind{q.Kind})(cmd, args, toComplete)
	})
	set.StringVar(&o.evidence, "evidence", "", "instead verify the log, and write the result and what is proven into this `FILE` for auditors; - for standard output")
	erasedFlag(cmd, &o.erased, "with --evidence: ")
	o.addHeadersFlag(cmd)
	outputFlag(cmd, &o.output, "a project and kind", "")
	return cmd
}

func runAudit(ctx context.Context, c *call, o auditOptions) error {
	q := o.query
	q.Now = evidenceTime()
	if err := q.Period(); err != nil {
		return usageError{fmt.Errorf("--since, --until: %w", err)}
	}
	if o.evidence != "" {
		if o.output != formatText {
			return usageError{errors.New("--evidence and --output exclude each other: an evidence file is JSON")}
		}
		return c.writeEvidence(ctx, q, o.evidence, o.erased)
	}
	if o.erased != nil {
		return usageError{errors.New("--erased needs --evidence: without it the log is not verified")}
	}
	log, done, err := c.openLog(ctx)
	if err != nil {
		return err
	}
	defer done()
	covers, err := audit.Coverages(ctx, log, q)
	if err != nil {
		return noProofError(err)
	}
	if o.output.isObject() {
		err = printCoverObjects(c.stdout, o.output, covers)
	} else {
		o.header(c.stdout, "%-40s  %8s  %-20s  %6s  %9s  %8s  %8s", "KIND", "PROVEN", "UP TO", "SWEEPS", "RESOURCES", "DIFFERED", "REPAIRED")
		err = printCovers(c.stdout, covers)
	}
	if err == nil && !audit.Complete(covers) {
		err = errGaps
	}
	return err
}

// noProofError adds to an error of a period about which nothing is proven what to do.
func noProofError(err error) error {
	switch {
	case errors.Is(err, audit.ErrBeforeFirstSweep):
		return fmt.Errorf("%w: choose a later --until", err)
	case errors.Is(err, audit.ErrNoSweep):
		return fmt.Errorf("%w: check that a bridge with an API token (BRIDGE_MKIO_TOKEN) runs and has completed a sweep", err)
	}
	return err
}

func printCoverObjects(w io.Writer, f format, covers []audit.Coverage) error {
	for _, c := range covers {
		if err := f.print(w, c); err != nil {
			return err
		}
	}
	return nil
}

func printCovers(w io.Writer, covers []audit.Coverage) error {
	for _, c := range covers {
		if !c.Polled {
			if _, err := fmt.Fprintf(w, "%-40s  %8s  %s\n", printable.Name(c.Project)+" "+string(c.Kind), "-", c.Reason); err != nil {
				return err
			}
			continue
		}
		share := 100 * float64(c.Share) / float64(c.To.Sub(c.From))
		if _, err := fmt.Fprintf(w, "%-40s  %6.2f %%  %-20s  %6d  %9d  %8d  %8d\n", printable.Name(c.Project)+" "+string(c.Kind), share,
			c.Proven.UTC().Format(time.RFC3339), c.Sweeps, c.Resources, c.Differed, c.Repaired); err != nil {
			return err
		}
		for _, g := range c.Gaps {
			if _, err := fmt.Fprintf(w, "  not proven from %s to %s (%s): %s\n", g.From.UTC().Format(time.RFC3339), g.To.UTC().Format(time.RFC3339),
				g.To.Sub(g.From).Round(time.Second), printable.Sentence(g.Reason)); err != nil {
				return err
			}
		}
	}
	return printLaterStarts(w, covers)
}

// printLaterStarts prints how many coverages start after the requested period does, with their first sweep.
func printLaterStarts(w io.Writer, covers []audit.Coverage) error {
	var starts []time.Time
	for _, c := range covers {
		if c.FirstSweep != nil {
			starts = append(starts, c.FirstSweep.UTC())
		}
	}
	if len(starts) == 0 {
		return nil
	}
	first, last := slices.MinFunc(starts, time.Time.Compare), slices.MaxFunc(starts, time.Time.Compare)
	_, err := fmt.Fprintf(w, "%d of these start with their first sweep (%s to %s): nothing was compared before it\n",
		len(starts), first.Format(time.RFC3339), last.Format(time.RFC3339))
	return err
}
