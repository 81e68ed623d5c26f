package eventlog

import (
	"strings"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// Matcher returns a function that reports whether a resource's last event has the state, phase, name and age of a query; Kind
// and Project are not compared. Its arguments are the token of the resource and the event. It must not be called concurrently.
func (q Query) Matcher() func(resource string, last *lifecycle.Fact) bool {
	type state struct {
		kind                lifecycle.Kind
		state, provisioning string
	}
	phases := map[state]lifecycle.Phase{} // of the states seen so far: there are few, and many resources
	unset := event.StateToken(q.State) == event.StateToken("")
	return func(resource string, last *lifecycle.Fact) bool {
		if q.NamePart != "" && !strings.Contains(event.NameOf(resource), q.NamePart) {
			return false
		}
		if q.State != "" && !lifecycle.SameState(last.State, q.State) && (!unset || last.State != "") {
			return false
		}
		if !q.InStateBefore.IsZero() {
			if since := last.Since(); since.IsZero() || !since.Before(q.InStateBefore) {
				return false
			}
		}
		if q.Phase == "" {
			return true
		}
		key := state{event.KindOf(resource), last.State, last.Provisioning}
		phase, ok := phases[key]
		if !ok {
			phase = lifecycle.PhaseOf(key.kind, key.state, key.provisioning)
			phases[key] = phase
		}
		return phase == q.Phase
	}
}

// needsLast reports whether a match depends on the resource's last event or on a part of its name, so that the subject filters
// of the state bucket do not ensure it.
func (q Query) needsLast() bool {
	return q.NamePart != "" || q.State != "" || q.Phase != "" || !q.InStateBefore.IsZero()
}
