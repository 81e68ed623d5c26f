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

// checkRule checks the webhook rule of a project: that it exists, is as configured, has no duplicate, and delivers.
func (x *examination) checkRule(ctx context.Context, project string) {
	check := "webhook rule " + printable.Name(x.Webhook.Rule) + " in " + printable.Name(project)
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	all, err := x.client.Rules(ctx, project)
	i := slices.IndexFunc(all, func(r mkio.Rule) bool { return r.Name == x.Webhook.Rule })
	if err != nil {
		x.report(warning(check, reason(err), RulesUnreadable).withCause(err))
		if i < 0 { // the rule may be among those that could not be read
			return
		}
	}
	switch {
	case x.Webhook.URL != "":
		x.report(x.planRule(ctx, check, project))
	case i < 0:
		x.report(warning(check, "no rule: changes are found by polling only", RuleAddressMissing))
	case !all[i].Enabled:
		x.report(warning(check, "disabled: nothing is delivered", RuleDisabled))
	default:
		x.report(ok(check, "enabled; not compared, because no webhook URL is set"))
	}
	for _, duplicate := range x.Webhook.duplicates(all) {
		x.report(warning(check, "rule "+printable.Name(duplicate)+" delivers to the same URL: every delivery arrives twice", RuleDuplicate))
	}
	if i >= 0 && all[i].Enabled {
		x.report(x.checkDeliveries(ctx, "deliveries of "+check, project))
	}
}

// planRule compares the rule with the one that a bridge would register, and changes nothing.
func (x *examination) planRule(ctx context.Context, check, project string) Finding {
	reconciler := rule.Reconciler{Client: x.client, URL: x.Webhook.URL, Name: x.Webhook.Rule, Secret: x.Webhook.Secret}
	if x.js != nil {
		var err error
		if reconciler.Notes, err = eventlog.New(x.js, x.NATS.Streams.Names).Notes(ctx); err != nil {
			return warning(check, "last registered rule cannot be read: "+reason(err), NotesUnreadable).withCause(err)
		}
	}
	change, err := reconciler.Plan(ctx, project, false)
	_, otherURL := errors.AsType[*rule.OtherURLError](err)
	switch {
	case otherURL:
		return failed(check, "delivers to another URL than the webhook URL", RuleOtherURL)
	case err != nil:
		return failed(check, reason(err), MKIOFailed).withCause(err)
	case change.Creates:
		return failed(check, "no rule", RuleMismatch)
	case !change.Empty():
		return warning(check, "differs from the configuration: "+strings.Join(change.Changes, "; "), RuleMismatch)
	case len(change.Warnings) > 0:
		return warning(check, strings.Join(change.Warnings, "; "), RuleUnusual)
	}
	return ok(check, "as configured")
}

// duplicates returns the names of other rules that deliver to this bridge.
func (w Webhook) duplicates(all []mkio.Rule) (names []string) {
	ours, err := rule.Address(w.URL)
	if err != nil {
		return nil // there is no webhook URL
	}
	for _, r := range all {
		if r.Name != w.Rule && rule.SameAddress(r.URL, ours) {
			names = append(names, r.Name)
		}
	}
	return names
}

// historyPeriod is the age up to which deliveries are judged.
const historyPeriod = 24 * time.Hour

func (x *examination) checkDeliveries(ctx context.Context, check, project string) Finding {
	all, err := x.client.Deliveries(ctx, project, x.Webhook.Rule)
	if err != nil && len(all) == 0 {
		return warning(check, reason(err), MKIOFailed).withCause(err)
	}
	now := x.Now()
	return judgeDeliveries(check, slices.DeleteFunc(all, func(d mkio.HistoryRow) bool { return now.Sub(d.Created) > historyPeriod }), now)
}

// judgeDeliveries judges the rows of a history, and counts them.
func judgeDeliveries(check string, all []mkio.HistoryRow, now time.Time) Finding {
	count := map[string]int{}
	var newest Deliveries
	for _, row := range all {
		count[row.Status]++
		newest.add(row)
	}
	return newest.Judge(check, fmt.Sprintf("in the last day %d sent, %d failed, %d pending",
		count[mkio.StatusSent], count[mkio.StatusFailed], count[mkio.StatusPending]+count[mkio.StatusRetrying]), now)
}

// Deliveries are when the newest deliveries of a webhook rule were created: that arrived, that failed or are retried, and of
// these that failed; zero: none.
type Deliveries struct{ Sent, Unsent, Failed time.Time }

func (d *Deliveries) add(row mkio.HistoryRow) {
	newest := func(t *time.Time) {
		if row.Created.After(*t) {
			*t = row.Created
		}
	}
	switch row.Status {
	case mkio.StatusSent:
		newest(&d.Sent)
	case mkio.StatusFailed:
		newest(&d.Failed)
		newest(&d.Unsent)
	case mkio.StatusRetrying:
		newest(&d.Unsent)
	}
}

// Judge judges deliveries by the last finished one, and by whether one of the last day did not arrive. found describes them.
func (d Deliveries) Judge(check, found string, now time.Time) Finding {
	switch {
	case d.Failed.After(d.Sent) && now.Sub(d.Failed) <= historyPeriod:
		return failed(check, found+", the last one failed", DeliveriesFail)
	case !d.Unsent.IsZero() && now.Sub(d.Unsent) <= historyPeriod:
		return warning(check, found, DeliveriesFail)
	}
	return ok(check, found)
}
