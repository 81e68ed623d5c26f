// Package invariant judges a bridge from the outside: what senders told it and how it answered,
// against what is in the log. It shares no decision with the code it judges.
//
//   - I1 chain: in stream order, previousState of an event of a resource is the state of the event
//     before it, transition counts without hole or repeat, previousHash is the hash of the payload
//     before it, and two neighbours never carry the same pair of state and provisioning failure.
//   - I2 nothing acknowledged is lost: what was answered 204 is an event or repeats one, what was
//     answered 202 or 400 was kept.
//   - I4 no invention: every event carries a state that was told of its resource, or is a Deleted
//     that is followed by another life.
//   - I5 no going back: within a life, times that MK.IO gave never run backwards.
package invariant

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// Told is one delivery of a well-formed fact and the last answer it got.
type Told struct {
	Observation lifecycle.Observation
	Body        []byte
	Status      int // HTTP status; 0 when no answer came
}

// Check reads the log and judges all invariants that deliveries can show. It returns every violation.
func Check(ctx context.Context, js jetstream.JetStream, names event.Names, told []Told) error {
	log, err := read(ctx, js, names)
	if err != nil {
		return err
	}
	kept, err := keptDigests(ctx, js, names)
	if err != nil {
		return err
	}
	return errors.Join(order(log), lost(log, kept, told), invented(log, told))
}

// Order reads the log and judges what it shows by itself: I1 and I5.
func Order(ctx context.Context, js jetstream.JetStream, names event.Names) error {
	log, err := read(ctx, js, names)
	if err != nil {
		return err
	}
	return order(log)
}

// read returns the events of each resource in stream order.
func read(ctx context.Context, js jetstream.JetStream, names event.Names) (map[lifecycle.Key][]eventlog.Entry, error) {
	log := map[lifecycle.Key][]eventlog.Entry{}
	for entry, err := range eventlog.New(js, names).Events(ctx, eventlog.Query{}) {
		if err != nil {
			return nil, err
		}
		key, err := entry.Event.Data.Key()
		if err != nil {
			return nil, err
		}
		log[key] = append(log[key], entry)
	}
	return log, nil
}

func order(log map[lifecycle.Key][]eventlog.Entry) error {
	var errs []error
	for key, entries := range log {
		errs = append(errs, chain(key, entries), backwards(key, entries))
	}
	return errors.Join(errs...)
}

// chain judges I1 for one resource.
func chain(key lifecycle.Key, entries []eventlog.Entry) error {
	var errs []error
	bad := func(e eventlog.Entry, format string, args ...any) {
		errs = append(errs, fmt.Errorf("I1: %s, event %d: %s", key, e.Sequence, fmt.Sprintf(format, args...)))
	}
	for i, e := range entries {
		d := e.Event.Data
		if e.Fact.Hash != event.Hash(e.Payload) {
			bad(e, "its header does not have the hash of its payload")
		}
		if e.Fact.Transition != d.Transition || e.Fact.State != d.State || e.Fact.Life != d.Evidence.Life {
			bad(e, "its headers and its payload disagree")
		}
		if i == 0 {
			if d.Transition == 1 && (d.PreviousState != nil || d.PreviousHash != "") {
				bad(e, "the first event has a predecessor")
			}
			continue
		}
		before := entries[i-1]
		if d.PreviousState == nil || !lifecycle.SameState(*d.PreviousState, before.Event.Data.State) {
			bad(e, "previousState is not the state before it, %q", before.Event.Data.State)
		}
		if d.Transition != before.Event.Data.Transition+1 {
			bad(e, "transition %d follows %d", d.Transition, before.Event.Data.Transition)
		}
		if d.PreviousHash != event.Hash(before.Payload) {
			bad(e, "previousHash is not the hash of the payload before it")
		}
		if d.Evidence.PreviousSequence != before.Sequence {
			bad(e, "previousSequence is %d, not %d", d.Evidence.PreviousSequence, before.Sequence)
		}
		if pairOf(d) == pairOf(before.Event.Data) {
			bad(e, "it repeats state and provisioning failure of the event before it")
		}
	}
	return errors.Join(errs...)
}

type pair struct {
	state  string
	failed bool
}

func pairOf(d event.Data) pair {
	return pair{event.StateToken(d.State), lifecycle.ProvisioningFailed(d.ProvisioningState)}
}

// backwards judges I5 for one resource.
func backwards(key lifecycle.Key, entries []eventlog.Entry) error {
	var errs []error
	for i, e := range entries {
		if i == 0 || e.Fact.At.IsZero() || entries[i-1].Fact.Life != e.Fact.Life {
			continue
		}
		if e.Fact.At.Before(entries[i-1].Fact.At) {
			errs = append(errs, fmt.Errorf("I5: %s, event %d: %s is older than the event before it", key, e.Sequence, e.Fact.State))
		}
	}
	return errors.Join(errs...)
}

// lost judges I2.
func lost(log map[lifecycle.Key][]eventlog.Entry, kept map[string]bool, told []Told) error {
	var errs []error
	for _, t := range told {
		o := t.Observation
		switch t.Status {
		case http.StatusNoContent:
			if !recorded(log[o.Key], o) {
				errs = append(errs, fmt.Errorf("I2: %s %q was answered 204 and is not in the log", o.Key, o.State))
			}
		case http.StatusAccepted, http.StatusBadRequest:
			if !kept[event.Hash(t.Body)] {
				errs = append(errs, fmt.Errorf("I2: %s %q was answered %d and was not kept", o.Key, o.State, t.Status))
			}
		}
	}
	return errors.Join(errs...)
}

func recorded(entries []eventlog.Entry, o lifecycle.Observation) bool {
	for _, e := range entries {
		sameLife := o.Life == "" || e.Fact.Life == "" || o.Life == e.Fact.Life
		samePair := o.Provisioning == "" || // it was not told
			lifecycle.ProvisioningFailed(e.Fact.Provisioning) == lifecycle.ProvisioningFailed(o.Provisioning)
		if sameLife && samePair && lifecycle.SameState(e.Fact.State, o.State) {
			return true
		}
	}
	return false
}

// invented judges I4.
func invented(log map[lifecycle.Key][]eventlog.Entry, told []Told) error {
	type claim struct {
		key   lifecycle.Key
		state string
		life  string
	}
	claims := map[claim]bool{}
	for _, t := range told {
		claims[claim{t.Observation.Key, event.StateToken(t.Observation.State), t.Observation.Life}] = true
	}
	var errs []error
	for key, entries := range log {
		for i, e := range entries {
			if claims[claim{key, event.StateToken(e.Fact.State), e.Fact.Life}] {
				continue
			}
			follower := i + 1
			implied := lifecycle.SameState(e.Fact.State, lifecycle.StateDeleted) &&
				follower < len(entries) && entries[follower].Fact.Life != e.Fact.Life
			if !implied {
				errs = append(errs, fmt.Errorf("I4: %s, event %d: nobody told %q", key, e.Sequence, e.Fact.State))
			}
		}
	}
	return errors.Join(errs...)
}

// keptDigests returns the digests of the bodies that became no event.
func keptDigests(ctx context.Context, js jetstream.JetStream, names event.Names) (map[string]bool, error) {
	kept := map[string]bool{}
	for u, err := range eventlog.New(js, names).Unapplied(ctx) {
		if err != nil {
			return nil, err
		}
		kept[u.Digest] = true
	}
	return kept, nil
}
