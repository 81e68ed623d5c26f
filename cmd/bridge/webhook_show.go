package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/printable"
)

// A shownRule is a rule without what a reader of the output need not see: the values of headers and
// parameters, and what follows the path of its address.
type shownRule struct {
	Project        string   `json:"project"`
	Rule           string   `json:"rule"`
	ID             string   `json:"id"`
	Enabled        bool     `json:"enabled"`
	URL            string   `json:"url"`
	Events         []string `json:"events"`
	Authentication []string `json:"authentication"` // names
}

func runShowRule(ctx context.Context, c *call) error {
	r, err := ruleFlags{}.open(c, c.flags())
	if err != nil {
		return err
	}
	return r.each(ctx, func(project string) error {
		is, err := r.client.Rule(ctx, project, r.conf.WebhookRule)
		if mkio.IsNotFound(err) {
			return fmt.Errorf("project %s has no rule %s: make it with bridge webhook register (%w)", printable.Name(project), printable.Name(r.conf.WebhookRule), err)
		}
		if err != nil {
			return err
		}
		shown := shownRule{
			Project: project, Rule: is.Name, ID: is.ID, Enabled: is.Enabled, URL: withoutQuery(is.URL), Events: is.Events,
			Authentication: append(append([]string{}, is.SecretHeaders...), is.SecretQueryParams...),
		}
		return r.flags.print(c.stdout, shown, func(w io.Writer) {
			state := "enabled"
			if !shown.Enabled {
				state = "disabled"
			}
			fmt.Fprintf(w, "%s: rule %s is %s\n  id: %s\n  url: %s\n", printable.Name(project), printable.Name(shown.Rule), state, printable.Name(shown.ID), printable.Name(shown.URL))
			fmt.Fprintf(w, "  events: %s\n  authentication: %s\n", printable.Name(strings.Join(shown.Events, ", ")), printable.Name(strings.Join(shown.Authentication, ", ")))
		})
	})
}

// withoutQuery leaves of an address what names a place: a user, query or fragment may be secret.
func withoutQuery(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an address that cannot be read"
	}
	u.User, u.RawQuery, u.Fragment, u.ForceQuery = nil, "", "", false
	return u.String()
}
