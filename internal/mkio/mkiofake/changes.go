package mkiofake

import (
	"slices"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A Status is the outcome of the deliveries of a change.
type Status string

// The statuses.
const (
	None    Status = "none" // not delivered: no type, or no rule that selects it
	Pending Status = "pending"
	Sent    Status = "sent" // at least one rule's receiver accepted it
	Lost    Status = "lost" // MK.IO gave up, or never tried
)

// A Change is one real change, including the creation and the deletion of a resource.
type Change struct {
	Key                           lifecycle.Key
	Life                          string
	State, Previous, Provisioning string
	At                            time.Time // wall
	RealTime                      time.Time // real
	Type                          string    // of its deliveries; "": none
	Delivery                      Status
	Order                         uint64 // among changes and writes
	Shown                         int    // responses that showed it while it was current, on the endpoint that has the kind's state
}

// A StaleRead is a response of a lagging replica: it shows an old state, or a missing resource, with a current Date.
type StaleRead struct {
	Key   lifecycle.Key
	Life  string // of the resource that exists
	State string
	At    time.Time // real
}

// recordStaleRead records that a replica showed a life in an old state.
func (m *MKIO) recordStaleRead(r *resource, state string) {
	m.staleReads = append(m.staleReads, StaleRead{r.key, r.life, state, time.Now()})
}

// StaleReads returns what lagging replicas showed of resources that existed.
func (m *MKIO) StaleReads() []StaleRead {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.staleReads)
}

// A trackedChange is a change with the progress of its deliveries.
type trackedChange struct {
	Change
	pending, sent, lost int // numbers of deliveries
}

func (e *trackedChange) result() Change {
	c := e.Change
	switch {
	case e.sent > 0:
		c.Delivery = Sent
	case e.pending > 0:
		c.Delivery = Pending
	case e.lost > 0:
		c.Delivery = Lost
	default:
		c.Delivery = None
	}
	return c
}

// recordChange records a change. stateChanged is false if no webhook reports it.
func (m *MKIO) recordChange(v *version, previous string, stateChanged bool) *trackedChange {
	r := v.resource
	e := &trackedChange{Change: Change{
		Key: r.key, Life: r.life, State: v.state, Previous: previous, Provisioning: v.provisioning, At: v.since, RealTime: time.Now(), Order: m.nextOrder(),
	}}
	if stateChanged && (r.key.Kind != lifecycle.LiveEvent || m.config.LiveEventWebhooks) {
		e.Type, _ = r.info.webhookType(previous, v.state, !v.processingSince.IsZero())
	}
	m.changes = append(m.changes, e)
	return e
}

// Changes returns all changes so far, in order.
func (m *MKIO) Changes() []Change {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]Change, len(m.changes))
	for i, e := range m.changes {
		all[i] = e.result()
	}
	return all
}

// Current returns the latest change of every existing resource.
func (m *MKIO) Current() map[lifecycle.Key]Change {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[lifecycle.Key]Change, len(m.resources))
	for key, r := range m.resources {
		all[key] = r.current.change.result()
	}
	return all
}
