package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/printable"
	"mkio-bridge/internal/rule"
)

// checkRule checks the webhook rule of a project: whether it is there, is right, is alone, and delivers.
func (d *doctor) checkRule(ctx context.Context, client *mkio.Client, js jetstream.JetStream, project string) {
	check := "webhook rule " + printable.Name(d.conf.WebhookRule) + " in " + printable.Name(project)
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	all, err := client.Rules(ctx, project)
	i := slices.IndexFunc(all, func(r mkio.Rule) bool { return r.Name == d.conf.WebhookRule })
	if err != nil {
		d.warn(check, reason(err), adviceOn(err, "give the token webhooks.config.get in this project (and .create, .update, so that the bridge can keep the rule right); until then changes are found by polling"))
		if i < 0 { // it may be among those that could not be read
			return
		}
	}
	switch {
	case d.conf.WebhookURL != "":
		d.checkPlan(ctx, client, js, check, project)
	case i < 0:
		d.warn(check, "there is none: changes are found by polling alone", "set BRIDGE_WEBHOOK_URL, then bridge webhook register")
	case !all[i].Enabled:
		d.warn(check, "it is disabled and delivers nothing", "set BRIDGE_WEBHOOK_URL, then bridge webhook register --force")
	default:
		d.ok(check, "it is enabled; whether it is right cannot be told without BRIDGE_WEBHOOK_URL")
	}
	d.checkTwins(all, check)
	if i >= 0 && all[i].Enabled {
		d.checkDeliveries(ctx, client, check, project)
	}
}

// checkPlan compares the rule with what it must be.
func (d *doctor) checkPlan(ctx context.Context, client *mkio.Client, js jetstream.JetStream, check, project string) {
	keeper := rule.Keeper{Client: client, URL: d.conf.WebhookURL, Name: d.conf.WebhookRule, Secret: d.conf.currentSecret}
	if js != nil {
		var err error
		if keeper, err = newKeeper(ctx, js, d.conf, client); err != nil {
			d.warn(check, "what was last put cannot be read: "+reason(err), cmp.Or(advice(err), "see to NATS first"))
			return
		}
	}
	change, err := keeper.Plan(ctx, project, false)
	_, elsewhere := errors.AsType[*rule.OtherURLError](err)
	const register = "bridge webhook register"
	switch {
	case elsewhere:
		d.fail(check, "it delivers to somewhere else than BRIDGE_WEBHOOK_URL", "choose another BRIDGE_WEBHOOK_RULE, or take it over: "+register+" --force")
	case err != nil:
		d.fail(check, reason(err), adviceOn(err, "try again later"))
	case change.Creates:
		d.fail(check, "there is none", register)
	case change.None() && len(change.Warnings) > 0:
		d.warn(check, strings.Join(change.Warnings, "; "), "nothing, where this is meant to be so")
	case change.None():
		d.ok(check, "it is what it must be")
	default:
		d.warn(check, "it is not what it must be: "+strings.Join(change.Changes, "; "), register)
	}
}

// checkTwins looks for other rules that deliver to this bridge.
func (d *doctor) checkTwins(all []mkio.Rule, check string) {
	ours, err := rule.Address(d.conf.WebhookURL)
	if err != nil {
		return // none is configured
	}
	for _, r := range all {
		if r.Name != d.conf.WebhookRule && rule.Same(r.URL, ours) {
			d.warn(check, "rule "+printable.Name(r.Name)+" delivers here too, so that everything comes twice, for nothing", "delete one of them")
		}
	}
}

// recently is how far back the doctor looks at deliveries.
const recently = 24 * time.Hour

func (d *doctor) checkDeliveries(ctx context.Context, client *mkio.Client, check, project string) {
	check = "deliveries of " + check
	all, err := client.Deliveries(ctx, project, d.conf.WebhookRule)
	if err != nil && len(all) == 0 {
		d.warn(check, reason(err), adviceOn(err, "try again later"))
		return
	}
	count := map[string]int{}
	last := ""
	for _, row := range all {
		if time.Since(row.Created) > recently {
			continue
		}
		count[row.Status]++
		if row.Status == mkio.StatusSent || row.Status == mkio.StatusFailed {
			last = row.Status
		}
	}
	found := fmt.Sprintf("in the last day %d sent, %d failed, %d under way",
		count[mkio.StatusSent], count[mkio.StatusFailed], count[mkio.StatusPending]+count[mkio.StatusRetrying])
	const do = "see that MK.IO reaches BRIDGE_WEBHOOK_URL and what the bridge's log says; bridge webhook history --status Failed,Retrying lists them"
	switch {
	case last == mkio.StatusFailed:
		d.fail(check, found+", the last one failed", do)
	case count[mkio.StatusFailed]+count[mkio.StatusRetrying] > 0:
		d.warn(check, found, do)
	default:
		d.ok(check, found)
	}
}
