// Package invariant checks a bridge from the outside: it compares the deliveries and the bridge's responses with the log. It
// shares no decision with the code that it checks.
//
//   - I1 chain: in stream order, an event's previousState is the state of the resource's event before it, transition counts
//     without gap or repeat, previousHash is the hash of the payload before it, and two neighbours never have the same pair of
//     state and provisioning failure.
//   - I2 nothing acknowledged is lost: a delivery with a response 204 is an event or a duplicate of one; a delivery with a
//     response 202 or 400 is in MKIO_UNAPPLIED.
//   - I4 no invention: every event has a state that was delivered for its resource, or is a Deleted that is followed by another
//     life.
//   - I5 no going back: within a life, MK.IO's times never decrease.
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

// A Delivered is a well-formed delivery with its last response.
type Delivered struct {
	Observation lifecycle.Observation
	Digest      string // SHA-256 of the body, lower-case hex
	Status      int    // HTTP status of the response; 0: none
}

// Check reads the log and checks all invariants that deliveries can prove. It returns every violation.
func Check(ctx context.Context, js jetstream.JetStream, names event.Names, deliveries []Delivered) error {
	unapplied, err := unappliedDigests(ctx, js, names)
	if err != nil {
		return err
	}
	c := newChecker()
	c.addClaims(deliveries)
	if err := c.read(ctx, js, names); err != nil {
		return err
	}
	c.checkLost(deliveries, unapplied)
	return errors.Join(c.errs...)
}

// Order reads the log and checks the invariants that need no deliveries: I1 and I5.
func Order(ctx context.Context, js jetstream.JetStream, names event.Names) error {
	c := newChecker()
	if err := c.read(ctx, js, names); err != nil {
		return err
	}
	return errors.Join(c.errs...)
}

// A checker reads a log from its beginning to its end. For each resource it stores only what the next event is compared
// with, because a log may be far larger than memory.
type checker struct {
	resources map[lifecycle.Key]*history
	delivered map[claim]bool // nil: deliveries are unknown, and I4 is not checked
	errs      []error
}

// A history has what is stored of a resource's events.
type history struct {
	last    lastEvent
	facts   map[claim]lifecycle.Fact // the first of each state, life and provisioning
	implied *eventlog.LoggedEvent    // a last event Deleted that was not delivered: another life must follow
}

// A lastEvent is what the next event of a resource is compared with, beside its chain.
type lastEvent struct {
	sequence uint64
	life     string
	at       time.Time
}

// A claim is a state of a resource, delivered or in the log.
type claim struct {
	key                       lifecycle.Key
	state, life, provisioning string
}

func newChecker() *checker { return &checker{resources: map[lifecycle.Key]*history{}} }

func (c *checker) violated(invariant string, key lifecycle.Key, format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf("%s: %s%s", invariant, key, fmt.Sprintf(format, args...)))
}

// addClaims stores the states of all deliveries, whatever their response.
func (c *checker) addClaims(deliveries []Delivered) {
	c.delivered = map[claim]bool{}
	for _, t := range deliveries {
		c.delivered[claim{t.Observation.Key, event.StateToken(t.Observation.State), t.Observation.Life, ""}] = true
	}
}

// read checks the events in stream order.
func (c *checker) read(ctx context.Context, js jetstream.JetStream, names event.Names) error {
	var chain *audit.Chain
	for e, err := range eventlog.New(js, names).Events(ctx, eventlog.Query{}) {
		if err != nil {
			return err
		}
		key, err := e.Event.Data.Key()
		if err != nil {
			return err
		}
		if chain == nil {
			chain = audit.NewChain(names, e.Sequence)
		}
		for _, err := range chain.Add(e) {
			c.errs = append(c.errs, fmt.Errorf("I1: %w", err))
		}
		h := c.resources[key]
		if h == nil {
			h = &history{facts: map[claim]lifecycle.Fact{}}
			c.resources[key] = h
		}
		if h.last.sequence > 0 {
			c.checkOrder(key, h.last, e)
			if before := e.Event.Data.Evidence.PreviousSequence; before != h.last.sequence {
				c.violated("I1", key, ", event %d: previousSequence is %d, not %d", e.Sequence, before, h.last.sequence)
			}
		}
		c.checkInvented(key, h, e)
		h.last = lastEvent{e.Sequence, e.Fact.Life, e.Fact.At}
		h.facts[claim{key, event.StateToken(e.Fact.State), e.Fact.Life, e.Fact.Provisioning}] = e.Fact
	}
	for key, h := range c.resources {
		if h.implied != nil {
			c.violated("I4", key, ", event %d: state %q was not delivered", h.implied.Sequence, h.implied.Fact.State)
		}
	}
	return nil
}

// checkOrder checks I5 for two neighbours.
func (c *checker) checkOrder(key lifecycle.Key, before lastEvent, e eventlog.LoggedEvent) {
	if e.Fact.At.IsZero() || before.life != e.Fact.Life {
		return
	}
	if e.Fact.At.Before(before.at) {
		c.violated("I5", key, ", event %d: %s is older than the event before it", e.Sequence, e.Fact.State)
	}
}

// checkInvented checks I4 for an event. A Deleted that was not delivered is checked with the next event.
func (c *checker) checkInvented(key lifecycle.Key, h *history, e eventlog.LoggedEvent) {
	if c.delivered == nil {
		return
	}
	if h.implied != nil && h.implied.Fact.Life == e.Fact.Life {
		c.violated("I4", key, ", event %d: state %q was not delivered", h.implied.Sequence, h.implied.Fact.State)
	}
	h.implied = nil
	switch {
	case c.delivered[claim{key, event.StateToken(e.Fact.State), e.Fact.Life, ""}]:
	case lifecycle.SameState(e.Fact.State, lifecycle.StateDeleted):
		h.implied = &e
	default:
		c.violated("I4", key, ", event %d: state %q was not delivered", e.Sequence, e.Fact.State)
	}
}

// checkLost checks I2.
func (c *checker) checkLost(deliveries []Delivered, unapplied map[string]bool) {
	for _, t := range deliveries {
		o := t.Observation
		switch t.Status {
		case http.StatusNoContent:
			if !recorded(c.resources[o.Key], o) {
				c.violated("I2", o.Key, " %q got 204, but is not in the log", o.State)
			}
		case http.StatusAccepted, http.StatusBadRequest:
			if !unapplied[t.Digest] {
				c.violated("I2", o.Key, " %q got %d, but is not in MKIO_UNAPPLIED", o.State, t.Status)
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
		samePair := o.Provisioning == "" || // absent in the delivery
			lifecycle.ProvisioningFailed(f.Provisioning) == lifecycle.ProvisioningFailed(o.Provisioning)
		if sameLife && samePair && lifecycle.SameState(f.State, o.State) {
			return true
		}
	}
	return false
}

// unappliedDigests returns the digests of the bodies in MKIO_UNAPPLIED.
func unappliedDigests(ctx context.Context, js jetstream.JetStream, names event.Names) (map[string]bool, error) {
	digests := map[string]bool{}
	for u, err := range eventlog.New(js, names).Unapplied(ctx) {
		if err != nil {
			return nil, err
		}
		digests[u.Digest] = true
	}
	return digests, nil
}
