package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/printable"
	"mkio-bridge/internal/rule"
)

func deleteRuleCommand(c *call) *cobra.Command {
	var f ruleFlags
	var force bool
	cmd := &cobra.Command{
		Use:     "delete",
		Short:   "delete the rule and its delivery history",
		Example: "  mkio-bridge webhook delete --project aurora-vod",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runDeleteRule(cmd.Context(), c, f, force) },
	}
	cmd.Flags().BoolVar(&force, "force", false, "delete the rule even if its URL is not BRIDGE_WEBHOOK_URL")
	f.add(cmd, "the outcome in a project")
	return cmd
}

func runDeleteRule(ctx context.Context, c *call, f ruleFlags, force bool) error {
	r, err := f.open(c)
	if err != nil {
		return err
	}
	ours := "" // matches no rule
	if r.conf.WebhookURL != "" {
		if ours, err = rule.Address(r.conf.WebhookURL); err != nil {
			return usageError{err}
		}
	}
	name := r.conf.WebhookRule
	return r.each(ctx, func(project string) error {
		is, err := r.client.Rule(ctx, project, name)
		if err != nil && !mkio.IsNotFound(err) {
			return err
		}
		if err == nil && !rule.SameAddress(is.URL, ours) && !force {
			return fmt.Errorf("rule %s in project %s delivers to %s, which is not BRIDGE_WEBHOOK_URL: delete it with --force", printable.Name(name), printable.Name(project), withoutQuery(is.URL))
		}
		deleted := false
		if err == nil {
			if deleted, err = r.client.DeleteRule(ctx, project, name); err != nil {
				return err
			}
		}
		outcome := struct {
			Project string `json:"project"`
			Rule    string `json:"rule"`
			Deleted bool   `json:"deleted"`
		}{project, name, deleted}
		return r.flags.print(c.stdout, outcome, func(w io.Writer) {
			what := "is deleted"
			if !deleted {
				what = "did not exist"
			}
			fmt.Fprintf(w, "%s: rule %s %s\n", printable.Name(project), printable.Name(name), what)
		})
	})
}
