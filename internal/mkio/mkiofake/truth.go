package mkiofake

import (
	"slices"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A Status is what became of the deliveries of a change.
type Status string

// The statuses.
const (
	None    Status = "none" // nothing tells it: no type, or no rule that asks for it
	Pending Status = "pending"
	Sent    Status = "sent" // at least one rule's receiver answered with success
	Lost    Status = "lost" // MK.IO gave up, or never tried
)

// A Change is one change that was true, the creation and the end of a life included.
type Change struct {
	Key                           lifecycle.Key
	Life                          string
	State, Previous, Provisioning string
	At                            time.Time // on MK.IO's clock, as it was set
	Moment                        time.Time // the same on ours
	Type                          string    // of the webhook that tells it; "" where none does
	Delivery                      Status
	Shown                         int // answers that showed it while it was current, where the kind truly shows its state
}

// A Misleading is an answer of a replica that lags: it shows what was, or that there is nothing yet, with the Date of now.
type Misleading struct {
	Key   lifecycle.Key
	Life  string // the one that there is
	State string
	At    time.Time // on our clock
}

// mislead notes that a replica shows a life in a state that is none of now.
func (m *MKIO) mislead(r *resource, state string) {
	m.misled = append(m.misled, Misleading{r.key, r.life, state, time.Now()})
}

// Misled returns what replicas that lag showed of lives that went on.
func (m *MKIO) Misled() []Misleading {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.misled)
}

// An entry is a change and what is under way about it.
type entry struct {
	Change
	pending, sent, lost int // deliveries
}

func (e *entry) change() Change {
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

// note writes down a change. moved is false where no webhook could tell it.
func (m *MKIO) note(v *version, previous string, moved bool) *entry {
	r := v.of
	e := &entry{Change: Change{
		Key: r.key, Life: r.life, State: v.state, Previous: previous, Provisioning: v.provisioning, At: v.since, Moment: time.Now(),
	}}
	if moved {
		e.Type, _ = r.place.told(previous, v.state, !v.began.IsZero())
	}
	m.entries = append(m.entries, e)
	return e
}

// Changes returns every change so far, in order.
func (m *MKIO) Changes() []Change {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]Change, len(m.entries))
	for i, e := range m.entries {
		all[i] = e.change()
	}
	return all
}

// Current returns the latest change of everything that exists.
func (m *MKIO) Current() map[lifecycle.Key]Change {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[lifecycle.Key]Change, len(m.resources))
	for key, r := range m.resources {
		all[key] = r.now.entry.change()
	}
	return all
}
