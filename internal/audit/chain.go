package audit

import (
	"fmt"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// A head is what is remembered of a resource's last event.
type head struct {
	sequence   uint64
	transition uint64
	hash       string // of the payload
	state      string
	failed     bool // its provisioning
}

func headOf(e eventlog.Entry) head {
	d := e.Event.Data
	return head{e.Sequence, d.Transition, event.Hash(e.Payload), d.State, lifecycle.ProvisioningFailed(d.ProvisioningState)}
}

// A Chain is what is known of a log while its events are taken one after the other.
type Chain struct {
	names event.Names
	heads map[string]head // by resource token
	first uint64          // sequence of the first event that the log still has
	last  uint64          // sequence of the last event that was taken
	past  *past           // the heads of an earlier time; nil: nobody asked

	// Erased says which events somebody took out on purpose. It is called with the sequences of a hole.
	Erased func(sequence uint64) bool
}

// NewChain begins with a log whose first event has a sequence.
func NewChain(names event.Names, first uint64) *Chain {
	return &Chain{names: names, heads: map[string]head{}, first: first, last: max(first, 1) - 1}
}

// Add takes the next event and returns what is wrong with it.
func (c *Chain) Add(e eventlog.Entry) []error {
	var wrong []error
	bad := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("event %d on %s: "+format, append([]any{e.Sequence, e.Subject}, args...)...))
	}
	if e.Sequence <= c.last {
		bad("it comes behind event %d", c.last)
	}
	for _, hole := range c.holes(e.Sequence) {
		bad("%s before it are gone", hole)
	}
	c.past.reach(c, e.Sequence)
	c.last = e.Sequence
	key, err := e.Event.Data.Key()
	if err != nil {
		bad("%w", err)
		return wrong
	}
	resource, d := c.names.Resource(key), e.Event.Data
	if e.Subject != c.names.Subject(resource, d.State) {
		bad("it is an event of %s, and belongs on %s", key, c.names.Subject(resource, d.State))
	}
	now := headOf(e)
	if e.Fact.Hash != now.hash {
		bad("its payload is not the one that its header has the hash of")
	}
	if e.Fact.Transition != d.Transition || e.Fact.State != d.State || e.Fact.Life != d.Evidence.Life {
		bad("its headers and its payload disagree")
	}
	before, known := c.heads[resource]
	switch {
	case known:
		c.link(before, now, d, bad)
	case d.Transition != 1 && d.Evidence.PreviousSequence >= c.first:
		bad("it is transition %d of %s, and event %d before it is not in the log", d.Transition, key, d.Evidence.PreviousSequence)
	case d.Transition == 1 && (d.PreviousState != nil || d.PreviousHash != ""):
		bad("it is the first of %s and has a predecessor", key)
	case d.Transition != 1:
		c.past.trimmed(resource, d)
	}
	c.heads[resource] = now
	return wrong
}

// holes are the events between the last one and another that are not there, and were not taken out on purpose.
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

// link holds an event against the one before it of its resource.
func (c *Chain) link(before, now head, d event.Data, bad func(string, ...any)) {
	if d.PreviousState == nil || !lifecycle.SameState(*d.PreviousState, before.state) {
		bad("previousState is not the state before it, %q", before.state)
	}
	if d.Transition != before.transition+1 {
		bad("transition %d follows %d", d.Transition, before.transition)
	}
	if d.PreviousHash != before.hash {
		bad("previousHash is not the hash of event %d, the one before it", before.sequence)
	}
	if lifecycle.SameState(now.state, before.state) && now.failed == before.failed {
		bad("it repeats state and provisioning failure of event %d, the one before it", before.sequence)
	}
}

// Resources is how many resources have events.
func (c *Chain) Resources() int { return len(c.heads) }
