package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/event"
)

func runVerify(ctx context.Context, c *call) error {
	var root *audit.Root
	var erased sequenceRanges
	var output string
	set := c.flags()
	set.Func("root", "also verify that nothing was changed or truncated since this root was printed; accepts the whole line", func(v string) error {
		r, err := audit.ParseRoot(v)
		root = &r
		return err
	})
	set.Func("erased", "sequences of events that were erased on purpose, e.g. 12,40-44", erased.parse)
	outputFlag(set, &output, "one object")
	if _, err := c.parse(set, 0); err != nil {
		return err
	}
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
	report, err := audit.Verify(ctx, js, event.NewNames(conf.SubjectPrefix), audit.Options{Root: root, Erased: erased.has, Step: progress.step})
	progress.clear()
	if err != nil {
		return err
	}
	if output == "json" {
		err = c.verifyJSON(report)
	} else {
		err = c.verifyText(report, root)
	}
	if err == nil && report.Wrong > 0 {
		err = errors.New("the log has broken chains")
	}
	return err
}

func (c *call) verifyText(r *audit.Report, root *audit.Root) error {
	for _, wrong := range r.Errors {
		fmt.Fprintln(c.stdout, "WRONG", wrong)
	}
	if more := r.Wrong - len(r.Errors); more > 0 {
		fmt.Fprintf(c.stdout, "WRONG and %d more\n", more)
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

func (c *call) verifyJSON(r *audit.Report) error {
	wrong := make([]string, len(r.Errors))
	for i, err := range r.Errors {
		wrong[i] = err.Error()
	}
	return printJSON(c.stdout, struct {
		*audit.Report
		Errors []string `json:"errors"`
		Root   string   `json:"root"`
	}{r, wrong, r.Root.String()})
}

// sequenceRanges are ranges of sequences, each with its first and last.
type sequenceRanges [][2]uint64

// parse adds comma-separated sequences and ranges of sequences.
func (s *sequenceRanges) parse(v string) error {
	for _, part := range splitList(v) {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		from, err1 := strconv.ParseUint(first, 10, 64)
		to, err2 := strconv.ParseUint(last, 10, 64)
		if err1 != nil || err2 != nil || from > to {
			return fmt.Errorf("%q is neither a sequence nor a range such as 40-44", part)
		}
		*s = append(*s, [2]uint64{from, to})
	}
	return nil
}

func (s *sequenceRanges) has(sequence uint64) bool {
	return slices.ContainsFunc(*s, func(r [2]uint64) bool { return r[0] <= sequence && sequence <= r[1] })
}
