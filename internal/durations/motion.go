package durations

import (
	"cmp"
	"slices"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A Motion counts the resources that exist, those of them in motion, and those of these that are stuck. The zero Motion counts
// none.
type Motion struct {
	Known    map[lifecycle.Kind]int // that are not deleted; set by who counts
	InMotion map[lifecycle.Kind]int
	stuck    map[kindState]StuckState
}

// A StuckState counts the resources of a kind that are stuck in a state.
type StuckState struct {
	Usual     Usual // of the state
	Resources int
	Since     time.Time // when the first of them reached the state
}

// Count counts a resource whose last event is f, if it is in motion.
func (t *Table) Count(m *Motion, kind lifecycle.Kind, f lifecycle.Fact, now time.Time) {
	if !lifecycle.InMotion(kind, f.State, f.Provisioning) {
		return
	}
	if m.InMotion == nil {
		m.InMotion, m.stuck = map[lifecycle.Kind]int{}, map[kindState]StuckState{}
	}
	m.InMotion[kind]++
	if !t.Stuck(kind, f, now) {
		return
	}
	usual := t.Of(kind, f.State)
	s := m.stuck[kindState{kind, usual.State}]
	s.Usual, s.Resources = usual, s.Resources+1
	if s.Since.IsZero() || f.Since().Before(s.Since) {
		s.Since = f.Since()
	}
	m.stuck[kindState{kind, usual.State}] = s
}

// Stuck returns the states in which resources are stuck, ordered by kind and state.
func (m Motion) Stuck() []StuckState {
	var all []StuckState
	for _, s := range m.stuck {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b StuckState) int {
		return cmp.Or(cmp.Compare(a.Usual.Kind, b.Usual.Kind), cmp.Compare(a.Usual.State, b.Usual.State))
	})
	return all
}
