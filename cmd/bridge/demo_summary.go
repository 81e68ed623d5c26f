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

// A lifeState identifies a state that a life of a resource reached, in MK.IO's changes and in the log.
type lifeState struct {
	key         lifecycle.Key
	life, state string
}

// summarize prints what each source contributed and which deliveries were lost, and checks the log's invariants.
func (d demo) summarize(ctx context.Context) error {
	events := map[lifeState]event.Event{}
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
		events[lifeState{key, data.Evidence.Life, event.StateToken(data.State)}] = e.Event
		vias[data.Via]++
		kinds[data.Kind]++
	}
	d.printDeliveries()
	d.printPolling()
	fmt.Fprintf(d.out, "The log has %d events: %d via webhook, %d via poll, %d via the delivery history.\n",
		vias[lifecycle.Webhook]+vias[lifecycle.Poll]+vias[lifecycle.History], vias[lifecycle.Webhook], vias[lifecycle.Poll], vias[lifecycle.History])
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(d.out, "  %-26s%5d\n", k, kinds[k])
	}
	d.printLost(events)
	if err := errors.Join(d.recorder.Check(ctx, d.bridge.js, d.bridge.names, d.fake), oracle.CheckConverged(ctx, d.bridge.events, d.fake)); err != nil {
		return fmt.Errorf("the log violates an invariant: %w", err)
	}
	_, err := fmt.Fprintln(d.out, "Checked: every chain is whole (I1), nothing acknowledged is lost (I2), the log has converged with MK.IO (I3), nothing is invented (I4), nothing went back (I5).")
	return err
}

// printDeliveries prints the deliveries by response status.
func (d demo) printDeliveries() {
	statuses, all := d.recorder.Statuses(), 0
	for _, n := range statuses {
		all += n
	}
	fmt.Fprintf(d.out, "\nThe webhook received %d deliveries: %d in the log, or a repeat of it (204); %d stored as unapplied, because late or in no certain order (202).\n",
		all, statuses[http.StatusNoContent], statuses[http.StatusAccepted])
}

// printPolling prints how many requests polling took.
func (d demo) printPolling() {
	gets := 0
	for _, project := range []string{mkiofake.VOD, mkiofake.Live} {
		gets += d.fake.Requests(project).Gets
	}
	fmt.Fprintf(d.out, "Polling took %d requests.\n", gets)
}

// A recovery is a lost delivery whose state polling found.
type recovery struct {
	change mkiofake.Change
	via    lifecycle.Via
	after  time.Duration // on MK.IO's clock
}

// printLost prints how many deliveries were lost, and which of their changes polling recovered.
func (d demo) printLost(events map[lifeState]event.Event) {
	var found []recovery
	lost := 0
	for _, c := range d.fake.Changes() {
		if c.Delivery != mkiofake.Lost {
			continue
		}
		lost++
		e, ok := events[lifeState{c.Key, c.Life, event.StateToken(c.State)}]
		if ok && e.Data.Evidence.SeenBefore != nil {
			found = append(found, recovery{c, e.Data.Via, e.Data.Evidence.SeenBefore.Sub(c.At)})
		}
	}
	fmt.Fprintf(d.out, "MK.IO lost %d deliveries. Polling recovered %d of their changes; the others ended between two polls:\n", lost, len(found))
	slices.SortFunc(found, func(a, b recovery) int { return cmp.Compare(a.after, b.after) })
	for _, r := range found {
		fmt.Fprintf(d.out, "  %-72s %-13s via %-8s %s after it happened\n", r.change.Key, r.change.State, r.via, max(0, r.after).Round(time.Second))
	}
}
