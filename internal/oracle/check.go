package oracle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/invariant"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// Check compares the log with the deliveries and the true states of a simulated MK.IO: I1, I2, I4 and I5. It returns every
// violation.
func (rec *Recorder) Check(ctx context.Context, js jetstream.JetStream, names event.Names, fake *mkiofake.MKIO) error {
	deliveries := rec.Delivered()
	for _, c := range fake.Changes() {
		deliveries = append(deliveries, invariant.Delivered{Observation: lifecycle.Observation{Key: c.Key, State: c.State, Life: c.Life}})
	}
	var exemptions []Exemption
	var err error
	if log := eventlog.New(js, names); rec.OtherClocks {
		err = CheckOrder(ctx, log, fake)
	} else {
		exemptions, err = CheckOrderAndTime(ctx, log, fake)
	}
	rec.setExemptions(exemptions)
	for _, e := range exemptions {
		deliveries = append(deliveries, invariant.Delivered{Observation: lifecycle.Observation{Key: e.Key, State: e.State, Life: e.Life}})
	}
	return errors.Join(invariant.Check(ctx, js, names, deliveries), err)
}

// A life identifies one life of a resource.
type life struct {
	key lifecycle.Key
	id  string
}

// CheckOrder checks I5 against the true states: the log has the states of each life in their true order. States may be
// missing.
func CheckOrder(ctx context.Context, log *eventlog.Log, fake *mkiofake.MKIO) error {
	_, err := checkOrder(ctx, log, fake, nil, func(mkiofake.Change, eventlog.LoggedEvent) bool { return true })
	return err
}

// CheckOrderAndTime is [CheckOrder] for bridges on the simulation's clock, which also checks that no state was recorded
// before it was true: neither a state that returns later, nor a Deleted before the deletion. An event without evidence
// against it is no violation, and is returned as an [Exemption].
func CheckOrderAndTime(ctx context.Context, log *eventlog.Log, fake *mkiofake.MKIO) ([]Exemption, error) {
	return checkOrder(ctx, log, fake, fake.StaleReads(), func(c mkiofake.Change, e eventlog.LoggedEvent) bool {
		return !c.RealTime.Truncate(time.Millisecond).After(e.Event.RecordedTime) // RecordedTime is truncated to milliseconds
	})
}

// checkOrder finds the change of each event, which must come after the change of the event before it.
func checkOrder(
	ctx context.Context, log *eventlog.Log, fake *mkiofake.MKIO, misled []mkiofake.StaleRead, allowed func(mkiofake.Change, eventlog.LoggedEvent) bool,
) (exemptions []Exemption, err error) {
	last := map[life]eventlog.LoggedEvent{}
	changes := map[life][]mkiofake.Change{}
	for _, c := range fake.Changes() {
		id := life{c.Key, c.Life}
		changes[id] = append(changes[id], c)
	}
	var errs []error
	var suspects []lifecycle.Key
	for e, err := range log.Events(ctx, eventlog.Query{}) {
		if err != nil {
			return nil, err
		}
		key, err := e.Event.Data.Key()
		if err != nil {
			return nil, err
		}
		id := life{key, e.Fact.Life}
		before := last[id]
		last[id] = e
		at := slices.IndexFunc(changes[id], func(c mkiofake.Change) bool {
			return lifecycle.SameState(c.State, e.Fact.State) && allowed(c, e)
		})
		if at < 0 {
			if exemption, ok := findExemption(misled, before, e, key); ok {
				exemptions = append(exemptions, exemption)
				continue
			}
			errs = append(errs, fmt.Errorf("I5: %s, event %d: state %q was not true any more, not yet, or never", key, e.Sequence, e.Fact.State))
			if len(suspects) < maxHistories && !slices.Contains(suspects, key) {
				suspects = append(suspects, key)
			}
			continue
		}
		changes[id] = changes[id][at:] // the same state with another provisioning may follow
	}
	return exemptions, errors.Join(append(errs, histories(ctx, log, fake, suspects))...)
}

// maxHistories limits the histories in the error.
const maxHistories = 3

// histories returns, as an error, the events and the true states of some resources; nil for none.
func histories(ctx context.Context, log *eventlog.Log, fake *mkiofake.MKIO, keys []lifecycle.Key) error {
	if len(keys) == 0 {
		return nil
	}
	texts := map[lifecycle.Key]*strings.Builder{}
	for _, key := range keys {
		texts[key] = &strings.Builder{}
		fmt.Fprintf(texts[key], "history of %s", key)
	}
	for e, err := range log.Events(ctx, eventlog.Query{}) {
		if err != nil {
			return err
		}
		key, err := e.Event.Data.Key()
		if err != nil {
			return err
		}
		if b, ok := texts[key]; ok {
			f := e.Fact
			fmt.Fprintf(b, "\n  log: event %d, transition %d: %q %q, life %q, by %s, at %s, modified %s, seen after %s and before %s, recorded %s", e.Sequence, f.Transition,
				f.State, f.Provisioning, f.Life, e.Event.Data.Via, formatTime(f.At), formatTime(f.Modified), formatTime(f.SeenAfter), formatTime(f.SeenBefore), e.Event.RecordedTime)
		}
	}
	for _, c := range fake.Changes() {
		if b, ok := texts[c.Key]; ok {
			fmt.Fprintf(b, "\n  MK.IO: %q %q, life %q, at %s, on our clock %s, delivery %q %v, in %d responses", c.State, c.Provisioning, c.Life, formatTime(c.At), formatTime(c.RealTime), c.Type, c.Delivery, c.Shown)
		}
	}
	var errs []error
	for _, key := range keys {
		errs = append(errs, errors.New(texts[key].String()))
	}
	return errors.Join(errs...)
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	return t.Format(time.RFC3339Nano)
}

// CheckConverged checks I3 while a simulated MK.IO is quiet: the last event of every resource has MK.IO's state.
func CheckConverged(ctx context.Context, log *eventlog.Log, fake *mkiofake.MKIO) error {
	var errs []error
	current := fake.Current()
	for e, err := range log.State(ctx, eventlog.Query{}) {
		if err != nil {
			return err
		}
		key, err := e.Event.Data.Key()
		if err != nil {
			return err
		}
		now, exists := current[key]
		delete(current, key)
		switch {
		case !exists && !lifecycle.SameState(e.Fact.State, lifecycle.StateDeleted):
			errs = append(errs, fmt.Errorf("I3: %s is deleted, but the log has it in %q", key, e.Fact.State))
		case exists && (!lifecycle.SameState(e.Fact.State, now.State) || e.Fact.Life != now.Life):
			errs = append(errs, fmt.Errorf("I3: %s is in %q, but the log has it in %q", key, now.State, e.Fact.State))
		}
	}
	for key, now := range current {
		errs = append(errs, fmt.Errorf("I3: %s is in %q, but the log does not have it", key, now.State))
	}
	return errors.Join(errs...)
}
