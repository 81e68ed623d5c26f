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
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// Told is one delivery of a well-formed fact and the last answer it got.
type Delivered struct {
	Observation lifecycle.Observation
	Digest      string // SHA-256 of the body, in hex
	Status      int    // HTTP status; 0 when no answer came
}

// Check reads the log and judges all invariants that deliveries can show. It returns every violation.
func Check(ctx context.Context, js jetstream.JetStream, names event.Names, told []Delivered) error {
	kept, err := keptDigests(ctx, js, names)
	if err != nil {
		return err
	}
	j := newJudge()
	j.claim(told)
	if err := j.read(ctx, js, names); err != nil {
		return err
	}
	j.lost(told, kept)
	return errors.Join(j.errs...)
}

// Order reads the log and judges what it shows by itself: I1 and I5.
func Order(ctx context.Context, js jetstream.JetStream, names event.Names) error {
	j := newJudge()
	if err := j.read(ctx, js, names); err != nil {
		return err
	}
	return errors.Join(j.errs...)
}

// A judge reads a log from its beginning to its end, and keeps of each resource no more than what the next event is
// held against: a log may be far larger than memory.
type judge struct {
	resources map[lifecycle.Key]*history
	claims    map[claim]bool // nil: whatever the log says may have been told
	errs      []error
}

// A history is what is remembered of a resource's events.
type history struct {
	last    link
	facts   map[claim]lifecycle.Fact // the first of each state, life and provisioning
	implied *eventlog.Entry          // a last event Deleted that nobody told: another life must follow
}

// A link is what the next event of a resource is held against, beside its chain.
type link struct {
	sequence uint64
	life     string
	at       time.Time
}

// A claim is a state of a resource that somebody told, or that is in the log.
type claim struct {
	key                       lifecycle.Key
	state, life, provisioning string
}

func newJudge() *judge { return &judge{resources: map[lifecycle.Key]*history{}} }

func (j *judge) bad(invariant string, key lifecycle.Key, format string, args ...any) {
	j.errs = append(j.errs, fmt.Errorf("%s: %s%s", invariant, key, fmt.Sprintf(format, args...)))
}

// claim notes all that was told, whatever became of it.
func (j *judge) claim(told []Delivered) {
	j.claims = map[claim]bool{}
	for _, t := range told {
		j.claims[claim{t.Observation.Key, event.StateToken(t.Observation.State), t.Observation.Life, ""}] = true
	}
}

// read judges the events in stream order.
func (j *judge) read(ctx context.Context, js jetstream.JetStream, names event.Names) error {
	var chain *audit.Chain
	for entry, err := range eventlog.New(js, names).Events(ctx, eventlog.Query{}) {
		if err != nil {
			return err
		}
		key, err := entry.Event.Data.Key()
		if err != nil {
			return err
		}
		if chain == nil {
			chain = audit.NewChain(names, entry.Sequence)
		}
		for _, err := range chain.Add(entry) {
			j.errs = append(j.errs, fmt.Errorf("I1: %w", err))
		}
		h := j.resources[key]
		if h == nil {
			h = &history{facts: map[claim]lifecycle.Fact{}}
			j.resources[key] = h
		}
		if h.last.sequence > 0 {
			j.backwards(key, h.last, entry)
			if before := entry.Event.Data.Evidence.PreviousSequence; before != h.last.sequence {
				j.bad("I1", key, ", event %d: previousSequence is %d, not %d", entry.Sequence, before, h.last.sequence)
			}
		}
		j.invented(key, h, entry)
		h.last = link{entry.Sequence, entry.Fact.Life, entry.Fact.At}
		h.facts[claim{key, event.StateToken(entry.Fact.State), entry.Fact.Life, entry.Fact.Provisioning}] = entry.Fact
	}
	for key, h := range j.resources {
		if h.implied != nil {
			j.bad("I4", key, ", event %d: nobody told %q", h.implied.Sequence, h.implied.Fact.State)
		}
	}
	return nil
}

// backwards judges I5 for two neighbours.
func (j *judge) backwards(key lifecycle.Key, before link, e eventlog.Entry) {
	if e.Fact.At.IsZero() || before.life != e.Fact.Life {
		return
	}
	if e.Fact.At.Before(before.at) {
		j.bad("I5", key, ", event %d: %s is older than the event before it", e.Sequence, e.Fact.State)
	}
}

// invented judges I4 for an event. A Deleted that nobody told is judged by what follows it.
func (j *judge) invented(key lifecycle.Key, h *history, e eventlog.Entry) {
	if j.claims == nil {
		return
	}
	if h.implied != nil && h.implied.Fact.Life == e.Fact.Life {
		j.bad("I4", key, ", event %d: nobody told %q", h.implied.Sequence, h.implied.Fact.State)
	}
	h.implied = nil
	switch {
	case j.claims[claim{key, event.StateToken(e.Fact.State), e.Fact.Life, ""}]:
	case lifecycle.SameState(e.Fact.State, lifecycle.StateDeleted):
		h.implied = &e
	default:
		j.bad("I4", key, ", event %d: nobody told %q", e.Sequence, e.Fact.State)
	}
}

// lost judges I2.
func (j *judge) lost(told []Delivered, kept map[string]bool) {
	for _, t := range told {
		o := t.Observation
		switch t.Status {
		case http.StatusNoContent:
			if !recorded(j.resources[o.Key], o) {
				j.bad("I2", o.Key, " %q was answered 204 and is not in the log", o.State)
			}
		case http.StatusAccepted, http.StatusBadRequest:
			if !kept[t.Digest] {
				j.bad("I2", o.Key, " %q was answered %d and was not kept", o.State, t.Status)
			}
		}
	}
}

func recorded(h *history, o lifecycle.Observation) bool {
	if h == nil {
		return false
	}
	for _, f := range h.facts {
		sameLife := o.Life == "" || f.Life == "" || o.Life == f.Life
		samePair := o.Provisioning == "" || // it was not told
			lifecycle.ProvisioningFailed(f.Provisioning) == lifecycle.ProvisioningFailed(o.Provisioning)
		if sameLife && samePair && lifecycle.SameState(f.State, o.State) {
			return true
		}
	}
	return false
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
