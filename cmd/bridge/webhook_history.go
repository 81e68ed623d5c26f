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

// A shownDelivery is a row of the history as it is printed.
type shownDelivery struct {
	Project  string    `json:"project"`
	Created  time.Time `json:"created"`
	Status   string    `json:"status"`
	Type     string    `json:"type"`
	Resource string    `json:"resource"`
}

func runRuleHistory(ctx context.Context, c *call) error {
	set := c.flags()
	var statuses list
	set.Func("status", "only these: Pending, Retrying, Failed, Sent; several comma-separated", func(v string) error {
		for _, s := range splitList(v) {
			if !isStatus(s) {
				return fmt.Errorf("%q is none of Pending, Retrying, Failed, Sent", s)
			}
			statuses = append(statuses, s)
		}
		return nil
	})
	var since time.Time
	set.Func("since", "from this time on: "+eventlog.TimeForms, parsed(&since, eventlog.ParseTime))
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
			shown := shownDelivery{project, d.Created, d.Status, d.Type, deliveryOf(d)}
			if err := r.flags.print(c.stdout, shown, func(w io.Writer) {
				fmt.Fprintf(w, "%s  %-8s  %-38s  %s\n", d.Created.Format("2006-01-02 15:04:05.000"), printable.Name(d.Status), printable.Name(d.Type), printable.Name(shown.Resource))
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

// deliveryOf says what a delivery was of; of an unknown resource its path.
func deliveryOf(d mkio.PastDelivery) string {
	if key, ok := d.Key(); ok {
		return key.String()
	}
	u, err := url.Parse(d.Source)
	if err != nil {
		return "a source that cannot be read"
	}
	return u.Path
}
