package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/printable"
	"mkio-bridge/internal/rule"
)

// registerOptions are the flags of webhook register.
type registerOptions struct {
	ruleFlags
	force, dryRun bool
}

func registerCommand(c *call) *cobra.Command {
	var o registerOptions
	cmd := &cobra.Command{
		Use:   "register",
		Short: "create or update the rule, and print the changes",
		Example: `  BRIDGE_WEBHOOK_URL=https://bridge.example.com mkio-bridge webhook register --dry-run
  mkio-bridge webhook register --project aurora-vod`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runRegister(cmd.Context(), c, o) },
	}
	cmd.Flags().BoolVar(&o.force, "force", false, "take over a rule that has another URL, and enable a disabled one")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "only print what would change")
	o.add(cmd, "the changes in a project")
	return cmd
}

func runRegister(ctx context.Context, c *call, o registerOptions) error {
	r, err := o.open(c)
	if err != nil {
		return err
	}
	if r.conf.WebhookURL == "" {
		return usageError{errors.New("public URL missing: set BRIDGE_WEBHOOK_URL to this bridge's public URL")}
	}
	nc, js, err := c.connect(ctx, r.conf, c.logger(r.conf))
	if err != nil {
		return err
	}
	defer nc.Close()
	reconciler, err := newRuleReconciler(ctx, js, r.conf, r.client)
	if err != nil {
		return err
	}
	do, verb := reconciler.Reconcile, "is"
	if o.dryRun {
		do, verb = reconciler.Plan, "would be"
	}
	return r.each(ctx, func(project string) error {
		change, err := do(ctx, project, o.force)
		if err != nil {
			return err
		}
		return r.flags.print(c.stdout, change, func(w io.Writer) { printChange(w, change, verb) })
	})
}

// newRuleReconciler returns a reconciler of the webhook rule. It has no notes before the first start of a bridge, which
// creates their bucket.
func newRuleReconciler(ctx context.Context, js jetstream.JetStream, conf config, client *mkio.Client) (rule.Reconciler, error) {
	notes, err := eventlog.New(js, event.NewNames(conf.SubjectPrefix)).Notes(ctx)
	if err != nil {
		return rule.Reconciler{}, err
	}
	return rule.Reconciler{
		Client: client, Notes: notes, URL: conf.WebhookURL, Name: conf.WebhookRule, Secret: conf.currentSecret,
	}, nil
}

// currentSecret returns the secret that the rule's deliveries send: the first of BRIDGE_WEBHOOK_SECRETS; "" if there is
// none.
func (c config) currentSecret() string {
	for _, s := range c.WebhookSecrets.all() {
		return s
	}
	return ""
}

// printChange writes a change of the rule as text.
func printChange(w io.Writer, c rule.Change, verb string) {
	what := "changed"
	switch {
	case c.Empty():
		verb, what = "is", "unchanged"
	case c.Creates:
		what = "created"
	}
	fmt.Fprintf(w, "%s: rule %s %s %s\n", printable.Name(c.Project), printable.Name(c.Rule), verb, what)
	for _, line := range c.Changes {
		fmt.Fprintf(w, "  %s\n", line)
	}
	for _, line := range c.Warnings {
		fmt.Fprintf(w, "  warning: %s\n", line)
	}
}
