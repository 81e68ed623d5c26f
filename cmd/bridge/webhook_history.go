package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

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

func runRuleHistory(ctx context.Context, c *call) error {
	set := c.flags()
	var statuses list
	set.Func("status", "only deliveries in these statuses, comma-separated: Pending, Retrying, Failed, Sent", func(v string) error {
		for _, s := range splitList(v) {
			if !isStatus(s) {
				return fmt.Errorf("unknown status %q: use Pending, Retrying, Failed or Sent", s)
			}
			statuses = append(statuses, s)
		}
		return nil
	})
	var since time.Time
	set.Func("since", "only deliveries created at or after this time: "+eventlog.TimeForms, parsed(&since, eventlog.ParseTime))
	r, err := ruleFlags{}.open(c, set)
	if err != nil {
		return err
	}
	return r.each(ctx, func(project string) error {
		all, err := r.client.Deliveries(ctx, project, r.conf.WebhookRule)
		if err != nil {
			return err
		}
		for _, d := range all {
			wanted := len(statuses) == 0 || slices.ContainsFunc(statuses, func(s string) bool { return strings.EqualFold(s, d.Status) })
			if !wanted || d.Created.Before(since) {
				continue
			}
			view := deliveryView{project, d.Created, d.Status, d.Type, deliveryOf(d)}
			if err := r.flags.print(c.stdout, view, func(w io.Writer) {
				fmt.Fprintf(w, "%s  %-8s  %-38s  %s\n", d.Created.Format("2006-01-02 15:04:05.000"), printable.Name(d.Status), printable.Name(d.Type), printable.Name(view.Resource))
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

func isStatus(s string) bool {
	return slices.ContainsFunc([]string{mkio.StatusPending, mkio.StatusRetrying, mkio.StatusFailed, mkio.StatusSent}, func(known string) bool {
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
