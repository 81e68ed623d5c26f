package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/event"
)

func runVerify(ctx context.Context, c *call) error {
	var root *audit.Root
	var output string
	set := c.flags()
	set.Func("root", "prove as well that nothing was changed or cut off since this root was printed", func(v string) error {
		r, err := audit.ParseRoot(v)
		root = &r
		return err
	})
	outputFlag(set, &output)
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
	progress := c.progress("events")
	report, err := audit.Verify(ctx, js, event.NewNames(conf.SubjectPrefix), root, progress.step)
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
		err = errors.New("the log is not whole")
	}
	return err
}

func (c *call) verifyText(r *audit.Report, root *audit.Root) error {
	for _, wrong := range r.Errors {
		fmt.Fprintln(c.stdout, "WRONG", wrong)
	}
	if hidden := r.Wrong - len(r.Errors); hidden > 0 {
		fmt.Fprintf(c.stdout, "WRONG and %d more\n", hidden)
	}
	if r.Wrong == 0 {
		fmt.Fprintf(c.stdout, "every chain is whole: %d events of %d resources, %d to %d\n", r.Events, r.Resources, r.First, r.Last)
		if root != nil {
			fmt.Fprintf(c.stdout, "nothing up to event %d was changed or cut off since the root was taken\n", root.Sequence)
		}
	}
	_, err := fmt.Fprintf(c.stdout, "root %s\n", r.Root)
	return err
}

func (c *call) verifyJSON(r *audit.Report) error {
	wrong := make([]string, len(r.Errors))
	for i, err := range r.Errors {
		wrong[i] = err.Error()
	}
	return json.NewEncoder(c.stdout).Encode(struct {
		*audit.Report
		Errors []string `json:"errors"`
		Root   string   `json:"root"`
	}{r, wrong, r.Root.String()})
}
