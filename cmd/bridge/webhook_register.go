package main

import (
	"context"
	"fmt"
	"io"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/printable"
	"mkio-bridge/internal/rule"
)

func runRegister(ctx context.Context, c *call) error {
	set := c.flags()
	force := set.Bool("force", false, "take over a rule that delivers elsewhere, enable one that was disabled")
	dryRun := set.Bool("dry-run", false, "only show what would change")
	r, err := ruleFlags{}.open(c, set)
	if err != nil {
		return err
	}
	if r.conf.WebhookURL == "" {
		return usageError{fmt.Errorf("where are deliveries to go? Set %s_WEBHOOK_URL to this bridge's public URL", prefix)}
	}
	nc, js, err := c.connect(ctx, r.conf, c.logger(r.conf))
	if err != nil {
		return err
	}
	defer nc.Close()
	keeper, err := newKeeper(ctx, js, r.conf, r.client)
	if err != nil {
		return err
	}
	do, verb := keeper.Reconcile, "is"
	if *dryRun {
		do, verb = keeper.Plan, "would be"
	}
	return r.each(ctx, func(project string) error {
		change, err := do(ctx, project, *force)
		if err != nil {
			return err
		}
		return r.flags.print(c.stdout, change, func(w io.Writer) { printChange(w, change, verb) })
	})
}

// newKeeper builds what keeps the rule right. Before a bridge ran for the first time there is no bucket of
// notes, and it does without.
func newKeeper(ctx context.Context, js jetstream.JetStream, conf config, client *mkio.Client) (rule.Reconciler, error) {
	notes, err := eventlog.New(js, event.NewNames(conf.SubjectPrefix)).Notes(ctx)
	if err != nil {
		return rule.Reconciler{}, err
	}
	return rule.Reconciler{
		Client: client, Notes: notes, URL: conf.WebhookURL, Name: conf.WebhookRule, Secret: conf.currentSecret,
	}, nil
}

// currentSecret is what the rule's deliveries are to bring; "" where there is none.
func (c config) currentSecret() string {
	for _, s := range c.WebhookSecrets.all() {
		return s
	}
	return ""
}

// printChange tells a change to people.
func printChange(w io.Writer, c rule.Change, verb string) {
	what := "changed"
	switch {
	case c.None():
		verb, what = "is", "left as it is"
	case c.Creates:
		what = "made"
	}
	fmt.Fprintf(w, "%s: rule %s %s %s\n", printable.Name(c.Project), printable.Name(c.Rule), verb, what)
	for _, line := range c.Changes {
		fmt.Fprintf(w, "  %s\n", line)
	}
	for _, line := range c.Warnings {
		fmt.Fprintf(w, "  warning: %s\n", line)
	}
}
