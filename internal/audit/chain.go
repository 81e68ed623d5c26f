package audit

import (
	"fmt"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// A head is the part of a resource's last event that the next one is checked against.
type head struct {
	sequence   uint64
	transition uint64
	hash       string // of the payload
	state      string
	failed     bool // provisioning failed
}

func headOf(e eventlog.LoggedEvent) head {
	d := e.Event.Data
	return head{e.Sequence, d.Transition, event.Hash(e.Payload), d.State, lifecycle.ProvisioningFailed(d.ProvisioningState)}
}

// A Chain checks the events of a log, added in order, against the heads of their resources.
type Chain struct {
	names    event.Names
	heads    map[string]head // by resource token
	first    uint64          // sequence of the log's first event
	last     uint64          // sequence of the last added event
	snapshot *snapshot       // set by SnapshotAt; else nil

	// Erased reports whether an event was erased on purpose. It is called with sequences that are missing.
	Erased func(sequence uint64) bool
}

// NewChain returns a chain for a log whose first event has the sequence first.
func NewChain(names event.Names, first uint64) *Chain {
	return &Chain{names: names, heads: map[string]head{}, first: first, last: max(first, 1) - 1}
}

// Add adds the next event, and returns the violations that it shows.
func (c *Chain) Add(e eventlog.LoggedEvent) []error {
	var wrong []string
	if e.Sequence <= c.last {
		wrong = append(wrong, fmt.Sprintf("out of order, after event %d", c.last))
	}
	for _, hole := range c.holes(e.Sequence) {
		wrong = append(wrong, hole+" before it are missing")
	}
	c.snapshot.take(c, e.Sequence)
	c.last = e.Sequence
	errs := make([]error, 0, len(wrong))
	for _, text := range append(wrong, c.addLink(e)...) {
		errs = append(errs, fmt.Errorf("event %d on %s: %s", e.Sequence, e.Subject, text))
	}
	return errs
}

// addLink makes an event the last one of its resource, and returns what is wrong with it and with how it continues the one before.
func (c *Chain) addLink(e eventlog.LoggedEvent) (wrong []string) {
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	key, err := e.Event.Data.Key()
	if err != nil {
		bad("%v", err)
		return wrong
	}
	resource, d := c.names.Resource(key), e.Event.Data
	if e.Subject != c.names.Subject(resource, d.State) {
		bad("wrong subject for an event of %s: expected %s", key, c.names.Subject(resource, d.State))
	}
	now := headOf(e)
	if e.Fact.Hash != now.hash {
		bad("the payload does not match the hash in the header")
	}
	if e.Fact.Transition != d.Transition || e.Fact.State != d.State || e.Fact.Life != d.Evidence.Life {
		bad("headers and payload disagree")
	}
	previous, hasPrevious := c.heads[resource]
	switch {
	case hasPrevious:
		checkLink(previous, now, d, bad)
	case d.Transition != 1 && d.Evidence.PreviousSequence >= c.first:
		bad("transition %d of %s, but its predecessor, event %d, is not in the log", d.Transition, key, d.Evidence.PreviousSequence)
	case d.Transition == 1 && (d.PreviousState != nil || d.PreviousHash != ""):
		bad("the first event of %s has a predecessor", key)
	case d.Transition != 1:
		c.snapshot.addTrimmed(resource, d)
	}
	c.heads[resource] = now
	return wrong
}

// holes returns the missing events between the last one and the next, without those that were erased on purpose.
func (c *Chain) holes(next uint64) []string {
	var holes []string
	for from := c.last + 1; from < next; from++ {
		if c.Erased != nil && c.Erased(from) {
			continue
		}
		to := from
		for to+1 < next && (c.Erased == nil || !c.Erased(to+1)) {
			to++
		}
		holes = append(holes, fmt.Sprintf("events %d to %d", from, to))
		from = to
	}
	return holes
}

// checkLink checks an event against the previous one of its resource.
func checkLink(previous, now head, d event.Data, bad func(string, ...any)) {
	if d.PreviousState == nil || !lifecycle.SameState(*d.PreviousState, previous.state) {
		bad("previousState is not the previous state, %q", previous.state)
	}
	if d.Transition != previous.transition+1 {
		bad("transition %d follows %d", d.Transition, previous.transition)
	}
	if d.PreviousHash != previous.hash {
		bad("previousHash is not the hash of event %d, its predecessor", previous.sequence)
	}
	if lifecycle.SameState(now.state, previous.state) && now.failed == previous.failed {
		bad("state and provisioning failure are those of event %d, its predecessor", previous.sequence)
	}
}

// Resources returns the number of resources with events.
func (c *Chain) Resources() int { return len(c.heads) }
