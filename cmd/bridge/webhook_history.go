package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/printable"
)

// A deliveryView is the JSON form of a row of the delivery history.
type deliveryView struct {
	Project  string    `json:"project"`
	Created  time.Time `json:"created"`
	Status   string    `json:"status"`
	Type     string    `json:"type"`
	Resource string    `json:"resource"`
}

// historyOptions are the flags of webhook history.
type historyOptions struct {
	ruleFlags
	table
	statuses list
	since    time.Time
}

// deliveryStatuses are the statuses of MK.IO's delivery history.
var deliveryStatuses = []string{mkio.StatusPending, mkio.StatusRetrying, mkio.StatusFailed, mkio.StatusSent}

func ruleHistoryCommand(c *call) *cobra.Command {
	var o historyOptions
	cmd := &cobra.Command{
		Use:     "history",
		Short:   "print the rule's delivery history, newest last",
		Example: "  mkio-bridge webhook history --status Failed,Retrying --since 1d",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runRuleHistory(cmd.Context(), c, o) },
	}
	cmd.Flags().Func("status", "only deliveries in these `STATUSES`, comma-separated: "+words(deliveryStatuses), func(v string) error {
		for _, s := range splitList(v) {
			if !isStatus(s) {
				return fmt.Errorf("unknown status %q: use %s", s, words(deliveryStatuses))
			}
			o.statuses = append(o.statuses, s)
		}
		return nil
	})
	cmd.Flags().Func("since", "only deliveries created at or after this `TIME`: "+eventlog.TimeForms, parsed(&o.since, eventlog.ParseTime))
	completeFlag(cmd, "status", fixed(deliveryStatuses...))
	o.addHeadersFlag(cmd)
	o.add(cmd, "a delivery")
	return cmd
}

func runRuleHistory(ctx context.Context, c *call, o historyOptions) error {
	r, err := o.open(c)
	if err != nil {
		return err
	}
	const columns = "%-23s  %-8s  %-38s  %s"
	if !o.output.isObject() {
		o.header(c.stdout, columns, "CREATED", "STATUS", "TYPE", "RESOURCE")
	}
	return r.each(ctx, func(project string) error {
		all, err := r.client.Deliveries(ctx, project, r.conf.WebhookRule)
		if err != nil {
			return err
		}
		for _, d := range all {
			wanted := len(o.statuses) == 0 || slices.ContainsFunc(o.statuses, func(s string) bool { return strings.EqualFold(s, d.Status) })
			if !wanted || d.Created.Before(o.since) {
				continue
			}
			view := deliveryView{project, d.Created, d.Status, d.Type, deliveryOf(d)}
			if err := r.flags.print(c.stdout, view, func(w io.Writer) {
				fmt.Fprintf(w, columns+"\n", d.Created.Format(timeColumn), printable.Name(d.Status), printable.Name(d.Type), printable.Name(view.Resource))
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

func isStatus(s string) bool {
	return slices.ContainsFunc(deliveryStatuses, func(known string) bool {
		return strings.EqualFold(known, s)
	})
}

// deliveryOf returns the resource of a delivery, or the path of its source when the resource is unknown.
func deliveryOf(d mkio.HistoryRow) string {
	if key, ok := d.Key(); ok {
		return key.String()
	}
	u, err := url.Parse(d.Source)
	if err != nil {
		return "invalid source"
	}
	return u.Path
}
