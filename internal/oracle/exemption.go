package oracle

import (
	"fmt"
	"slices"
	"time"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// An Exemption is an event that returns to a former state and is no violation, because the bridge had no evidence: a replica
// that lags returned the former state, with the current Date and a record that the change had not modified.
type Exemption struct {
	Key      lifecycle.Key
	Life     string
	Sequence uint64
	State    string
	Returned time.Time // when the replica returned it
}

func (e Exemption) String() string {
	return fmt.Sprintf("%s, event %d: a replica that lags returned %q at %s with the current Date, and a record without a time that orders it before the recorded state",
		e.Key, e.Sequence, e.State, formatTime(e.Returned))
}

// findExemption searches the misleading responses for the one that caused an event; before is the event before it of the
// same life. ok is false if there is none, or if the records' own times prove the wrong order.
func findExemption(misled []mkiofake.StaleRead, before, e eventlog.LoggedEvent, key lifecycle.Key) (found Exemption, ok bool) {
	if before.Sequence == 0 || e.Event.Data.Via == lifecycle.Webhook {
		return Exemption{}, false
	}
	gone := lifecycle.SameState(e.Fact.State, lifecycle.StateDeleted)
	if !gone && e.Fact.Modified.Before(before.Fact.Modified) {
		return Exemption{}, false
	}
	for _, m := range misled {
		if m.Key == key && m.Life == e.Fact.Life && lifecycle.SameState(m.State, e.Fact.State) &&
			!m.At.Before(before.Event.RecordedTime) && !m.At.Truncate(time.Millisecond).After(e.Event.RecordedTime) {
			return Exemption{key, m.Life, e.Sequence, e.Fact.State, m.At}, true
		}
	}
	return Exemption{}, false
}

// setExemptions stores the exemptions of the last check.
func (rec *Recorder) setExemptions(all []Exemption) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.exemptions = all
}

// Exemptions returns the events that the last [Recorder.Check] exempted, and why.
func (rec *Recorder) Exemptions() []Exemption {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return slices.Clone(rec.exemptions)
}
