package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/printable"
	"mkio-bridge/internal/rule"
)

// checkRule checks the webhook rule of a project: whether it is there, is right, is alone, and delivers.
func (x *examination) checkRule(ctx context.Context, project string) {
	check := "webhook rule " + printable.Name(x.Webhook.Rule) + " in " + printable.Name(project)
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	all, err := x.client.Rules(ctx, project)
	i := slices.IndexFunc(all, func(r mkio.Rule) bool { return r.Name == x.Webhook.Rule })
	if err != nil {
		x.report(warning(check, reason(err), RulesUnreadable).withCause(err))
		if i < 0 { // it may be among those that could not be read
			return
		}
	}
	switch {
	case x.Webhook.URL != "":
		x.report(x.planRule(ctx, check, project))
	case i < 0:
		x.report(warning(check, "there is none: changes are found by polling alone", RuleAddressMissing))
	case !all[i].Enabled:
		x.report(warning(check, "it is disabled and delivers nothing", RuleDisabled))
	default:
		x.report(ok(check, "it is enabled; whether it is right cannot be told without a webhook URL"))
	}
	for _, twin := range x.Webhook.twins(all) {
		x.report(warning(check, "rule "+printable.Name(twin)+" delivers here too, so that everything comes twice, for nothing", RuleTwin))
	}
	if i >= 0 && all[i].Enabled {
		x.report(x.checkDeliveries(ctx, "deliveries of "+check, project))
	}
}

// planRule compares the rule with what a bridge would register, and changes nothing.
func (x *examination) planRule(ctx context.Context, check, project string) Finding {
	keeper := rule.Reconciler{Client: x.client, URL: x.Webhook.URL, Name: x.Webhook.Rule, Secret: x.Webhook.Secret}
	if x.js != nil {
		var err error
		if keeper.Notes, err = eventlog.New(x.js, x.NATS.Streams.Names).Notes(ctx); err != nil {
			return warning(check, "what was last put cannot be read: "+reason(err), NotesUnreadable).withCause(err)
		}
	}
	change, err := keeper.Plan(ctx, project, false)
	_, elsewhere := errors.AsType[*rule.OtherURLError](err)
	switch {
	case elsewhere:
		return failed(check, "it delivers to somewhere else than the webhook URL", RuleElsewhere)
	case err != nil:
		return failed(check, reason(err), MKIOFailed).withCause(err)
	case change.Creates:
		return failed(check, "there is none", RuleWrong)
	case !change.None():
		return warning(check, "it is not what it must be: "+strings.Join(change.Changes, "; "), RuleWrong)
	case len(change.Warnings) > 0:
		return warning(check, strings.Join(change.Warnings, "; "), RuleOdd)
	}
	return ok(check, "it is what it must be")
}

// twins are the names of other rules that deliver to this bridge.
func (w Webhook) twins(all []mkio.Rule) (names []string) {
	ours, err := rule.Address(w.URL)
	if err != nil {
		return nil // there is none
	}
	for _, r := range all {
		if r.Name != w.Rule && rule.Same(r.URL, ours) {
			names = append(names, r.Name)
		}
	}
	return names
}

// recently is how far back deliveries are judged.
const recently = 24 * time.Hour

func (x *examination) checkDeliveries(ctx context.Context, check, project string) Finding {
	all, err := x.client.Deliveries(ctx, project, x.Webhook.Rule)
	if err != nil && len(all) == 0 {
		return warning(check, reason(err), MKIOFailed).withCause(err)
	}
	return judgeDeliveries(check, slices.DeleteFunc(all, func(d mkio.PastDelivery) bool { return x.Now().Sub(d.Created) > recently }))
}

// judgeDeliveries judges a history, oldest first, by how often MK.IO failed to deliver, and by the last delivery that ended.
func judgeDeliveries(check string, all []mkio.PastDelivery) Finding {
	count := map[string]int{}
	last := ""
	for _, row := range all {
		count[row.Status]++
		if row.Status == mkio.StatusSent || row.Status == mkio.StatusFailed {
			last = row.Status
		}
	}
	found := fmt.Sprintf("in the last day %d sent, %d failed, %d under way",
		count[mkio.StatusSent], count[mkio.StatusFailed], count[mkio.StatusPending]+count[mkio.StatusRetrying])
	switch {
	case last == mkio.StatusFailed:
		return failed(check, found+", the last one failed", DeliveriesFail)
	case count[mkio.StatusFailed]+count[mkio.StatusRetrying] > 0:
		return warning(check, found, DeliveriesFail)
	}
	return ok(check, found)
}
