package eventlog

import (
	"slices"
	"strings"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// Matcher returns a function that reports whether a resource's last event has a state, phase and source, the name and the age of
// a query; Kinds and Projects are not compared. Its arguments are the token of the resource and the event. It must not be called concurrently.
func (q Query) Matcher() func(resource string, last *lifecycle.Fact) bool {
	type state struct {
		kind                lifecycle.Kind
		state, provisioning string
	}
	phases := map[state]lifecycle.Phase{} // of the states seen so far: there are few, and many resources
	inState := func(state string) bool {
		return slices.ContainsFunc(q.States, func(wanted string) bool {
			return lifecycle.SameState(state, wanted) || state == "" && event.StateToken(wanted) == event.StateToken("")
		})
	}
	return func(resource string, last *lifecycle.Fact) bool {
		if q.NamePart != "" && !strings.Contains(event.NameOf(resource), q.NamePart) {
			return false
		}
		if len(q.States) > 0 && !inState(last.State) || len(q.Vias) > 0 && !slices.Contains(q.Vias, last.Via) {
			return false
		}
		if !q.InStateBefore.IsZero() {
			if since := last.Since(); since.IsZero() || !since.Before(q.InStateBefore) {
				return false
			}
		}
		if len(q.Phases) == 0 {
			return true
		}
		key := state{event.KindOf(resource), last.State, last.Provisioning}
		phase, ok := phases[key]
		if !ok {
			phase = lifecycle.PhaseOf(key.kind, key.state, key.provisioning)
			phases[key] = phase
		}
		return slices.Contains(q.Phases, phase)
	}
}

// needsLast reports whether a match depends on the resource's last event or on a part of its name, so that the subject filters
// of the state bucket do not ensure it.
func (q Query) needsLast() bool {
	return q.NamePart != "" || len(q.States) > 0 || len(q.Phases) > 0 || len(q.Vias) > 0 || !q.InStateBefore.IsZero()
}
