package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/printable"
)

// A ruleView is the JSON form of a rule, without what may be secret: the values of headers and query parameters, and the
// user, query and fragment of its URL.
type ruleView struct {
	Project        string   `json:"project"`
	Rule           string   `json:"rule"`
	ID             string   `json:"id"`
	Enabled        bool     `json:"enabled"`
	URL            string   `json:"url"`
	Events         []string `json:"events"`
	Authentication []string `json:"authentication"` // names
}

func showRuleCommand(c *call) *cobra.Command {
	var f ruleFlags
	cmd := &cobra.Command{
		Use:     "show",
		Short:   "print the rule as MK.IO has it",
		Example: "  mkio-bridge webhook show --output yaml",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runShowRule(cmd.Context(), c, f) },
	}
	f.add(cmd, "the rule in a project")
	return cmd
}

func runShowRule(ctx context.Context, c *call, f ruleFlags) error {
	r, err := f.open(c)
	if err != nil {
		return err
	}
	return r.each(ctx, func(project string) error {
		is, err := r.client.Rule(ctx, project, r.conf.WebhookRule)
		if mkio.IsNotFound(err) {
			return fmt.Errorf("project %s has no rule %s: create it with mkio-bridge webhook register (%w)", printable.Name(project), printable.Name(r.conf.WebhookRule), err)
		}
		if err != nil {
			return err
		}
		view := ruleView{
			Project: project, Rule: is.Name, ID: is.ID, Enabled: is.Enabled, URL: withoutQuery(is.URL), Events: is.Events,
			Authentication: append(append([]string{}, is.SecretHeaders...), is.SecretQueryParams...),
		}
		return r.flags.print(c.stdout, view, func(w io.Writer) {
			state := "enabled"
			if !view.Enabled {
				state = "disabled"
			}
			fmt.Fprintf(w, "%s: rule %s is %s\n  id: %s\n  url: %s\n", printable.Name(project), printable.Name(view.Rule), state, printable.Name(view.ID), printable.Name(view.URL))
			fmt.Fprintf(w, "  events: %s\n  authentication: %s\n", printable.Name(strings.Join(view.Events, ", ")), printable.Name(strings.Join(view.Authentication, ", ")))
		})
	})
}

// withoutQuery removes the user, query and fragment of a URL, which may be secret.
func withoutQuery(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "invalid URL"
	}
	u.User, u.RawQuery, u.Fragment, u.ForceQuery = nil, "", "", false
	return u.String()
}
