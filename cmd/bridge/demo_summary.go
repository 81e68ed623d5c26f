package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
	"mkio-bridge/internal/oracle"
)

// A reached is a state that a life of a resource came to, as both MK.IO and the log know it.
type reached struct {
	key         lifecycle.Key
	life, state string
}

// summarize tells what each source brought and what was lost, and judges the log.
func (d demo) summarize(ctx context.Context) error {
	events := map[reached]event.Event{}
	vias, kinds := map[lifecycle.Via]int{}, map[lifecycle.Kind]int{}
	for e, err := range d.bridge.events.Events(ctx, eventlog.Query{}) {
		if err != nil {
			return err
		}
		key, err := e.Event.Data.Key()
		if err != nil {
			return err
		}
		data := e.Event.Data
		events[reached{key, data.Evidence.Life, event.StateToken(data.State)}] = e.Event
		vias[data.Via]++
		kinds[data.Kind]++
	}
	d.tellDeliveries()
	d.tellPolling()
	fmt.Fprintf(d.out, "The log has %d events: %d via webhook, %d via poll, %d via the delivery history.\n",
		vias[lifecycle.Webhook]+vias[lifecycle.Poll]+vias[lifecycle.History], vias[lifecycle.Webhook], vias[lifecycle.Poll], vias[lifecycle.History])
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(d.out, "  %-26s%5d\n", k, kinds[k])
	}
	d.tellLost(events)
	if err := errors.Join(d.told.Judge(ctx, d.bridge.js, d.bridge.names, d.fake), oracle.Converged(ctx, d.bridge.events, d.fake)); err != nil {
		return fmt.Errorf("the log breaks its promise: %w", err)
	}
	_, err := fmt.Fprintln(d.out, "Checked: every chain is whole (I1), nothing acknowledged is lost (I2), the log is as MK.IO is (I3), nothing is made up (I4), nothing went back (I5).")
	return err
}

// tellDeliveries tells what the webhook brought.
func (d demo) tellDeliveries() {
	answers, all := d.told.Answers(), 0
	for _, n := range answers {
		all += n
	}
	fmt.Fprintf(d.out, "\nThe webhook brought %d deliveries: %d are in the log or told by it already (204), %d came after a later state or could not be ordered and are kept (202).\n",
		all, answers[http.StatusNoContent], answers[http.StatusAccepted])
}

// tellPolling tells what asking cost.
func (d demo) tellPolling() {
	gets := 0
	for _, project := range []string{mkiofake.VOD, mkiofake.Live} {
		gets += d.fake.Requests(project).Gets
	}
	fmt.Fprintf(d.out, "Polling took %d requests.\n", gets)
}

// A recovery is a lost delivery whose state was found in another way.
type recovery struct {
	change mkiofake.Change
	via    lifecycle.Via
	after  time.Duration // on MK.IO's clock
}

// tellLost tells what the webhook lost, and what became of it.
func (d demo) tellLost(events map[reached]event.Event) {
	var found []recovery
	lost := 0
	for _, c := range d.fake.Changes() {
		if c.Delivery != mkiofake.Lost {
			continue
		}
		lost++
		e, ok := events[reached{c.Key, c.Life, event.StateToken(c.State)}]
		if ok && e.Data.Evidence.SeenBefore != nil {
			found = append(found, recovery{c, e.Data.Via, e.Data.Evidence.SeenBefore.Sub(c.At)})
		}
	}
	fmt.Fprintf(d.out, "MK.IO lost %d deliveries. %d of their changes were recovered, the others were over before anybody looked:\n", lost, len(found))
	slices.SortFunc(found, func(a, b recovery) int { return cmp.Compare(a.after, b.after) })
	for _, r := range found {
		fmt.Fprintf(d.out, "  %-60s %-12s via %-8s %s after it happened\n", r.change.Key, r.change.State, r.via, max(0, r.after).Round(time.Second))
	}
}
