package durations

import (
	"cmp"
	"slices"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A Table has how long each transient state of each kind usually lasts. The zero Table is empty. Its methods must not be
// called concurrently.
type Table struct{ states map[kindState]*Histogram }

type kindState struct {
	kind  lifecycle.Kind
	state string // as it is listed
}

// A Usual is how long a state of a kind usually lasts, by its samples.
type Usual struct {
	Kind    lifecycle.Kind
	State   string
	Samples int
	P50     time.Duration
	P95     time.Duration
	Limit   time.Duration // a longer stay counts as stuck; 0: none does
	Learned bool          // Limit is from the samples; else it is the kind's fixed one
}

// Add adds the stays of a resource.
func (t *Table) Add(kind lifecycle.Kind, stays lifecycle.Stays) { t.add(kind, stays, 1) }

// Remove removes stays that were added.
func (t *Table) Remove(kind lifecycle.Kind, stays lifecycle.Stays) { t.add(kind, stays, -1) }

func (t *Table) add(kind lifecycle.Kind, stays lifecycle.Stays, n int) {
	if stays == "" {
		return
	}
	for state, d := range stays.All() {
		state, ok := lifecycle.Transient(kind, state, "")
		if !ok {
			continue // of a header that the bridge has not written, which could otherwise fill the table
		}
		of := kindState{kind, state}
		if t.states[of] == nil {
			if t.states == nil {
				t.states = map[kindState]*Histogram{}
			}
			t.states[of] = &Histogram{}
		}
		t.states[of].Add(d, n)
	}
}

// Clone returns a copy of the table.
func (t *Table) Clone() Table {
	c := Table{states: make(map[kindState]*Histogram, len(t.states))}
	for of, h := range t.states {
		histogram := *h
		c.states[of] = &histogram
	}
	return c
}

// Of returns how long a state usually lasts.
func (t *Table) Of(kind lifecycle.Kind, state string) Usual {
	if listed, ok := lifecycle.Transient(kind, state, ""); ok {
		state = listed
	}
	u := Usual{Kind: kind, State: state, Limit: fixedLimit(kind)}
	if h := t.states[kindState{kind, state}]; h != nil {
		u.Samples, u.P50, u.P95 = h.total, h.Quantile(0.5), h.Quantile(0.95)
	}
	if u.Samples >= MinSamples {
		u.Limit, u.Learned = max(Factor*u.P95, MinLimit), true
	}
	return u
}

// All returns the states with samples, ordered by kind and state.
func (t *Table) All() []Usual {
	var all []Usual
	for of, h := range t.states {
		if h.total > 0 {
			all = append(all, t.Of(of.kind, of.state))
		}
	}
	slices.SortFunc(all, func(a, b Usual) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.State, b.State)) })
	return all
}
