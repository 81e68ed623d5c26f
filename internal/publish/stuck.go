package publish

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/durations"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// Usual returns how long a state of a kind usually lasts, according to the cached events.
func (h Heads) Usual(kind lifecycle.Kind, state string) durations.Usual {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.durations.Of(kind, state)
}

// Durations returns how long each state usually lasts that has samples, ordered by kind and state.
func (h Heads) Durations() []durations.Usual {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.durations.All()
}

// IsStuck reports whether a resource whose last event is f is in its state for too long ([durations.Table.Stuck]).
func (h Heads) IsStuck(kind lifecycle.Kind, f lifecycle.Fact, now time.Time) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.durations.Stuck(kind, f, now)
}

// Stuck returns the cached resources that are in their state for too long, ordered by their tokens.
func (h Heads) Stuck(now time.Time) []StuckResource {
	table, moving := h.moving()
	var found []StuckResource
	for resource, at := range moving {
		// Without the time of a flap, which only the bridge that observed it has: all bridges must return the same.
		kind, fact := event.KindOf(resource), at.head().fact
		if table.Stuck(kind, *fact, now) {
			found = append(found, StuckResource{Resource: resource, Kind: kind, Fact: *fact})
		}
	}
	slices.SortFunc(found, func(a, b StuckResource) int { return cmp.Compare(a.Resource, b.Resource) })
	return found
}

// Motion counts the cached resources that exist, those in motion and those that are stuck, and returns how long each state usually lasts.
func (h Heads) Motion(_ context.Context, now time.Time) (durations.Motion, []durations.Usual, error) {
	table, moving := h.moving()
	m := durations.Motion{Known: h.livingByKind()}
	for resource, at := range moving {
		table.Count(&m, event.KindOf(resource), *at.head().fact, now)
	}
	return m, table.All(), nil
}

// moving returns copies of the durations and of the heads in motion, so that they are compared without the lock: there may
// be many, and writes wait for it.
func (h Heads) moving() (durations.Table, map[string]packed) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	moving := map[string]packed{}
	for _, g := range h.groups {
		for resource := range g.inMotion {
			moving[resource] = g.packed(resource)
		}
	}
	return h.durations.Clone(), moving
}

// A StuckResource is a resource that is in its state for too long.
type StuckResource struct {
	Resource string // its token
	Kind     lifecycle.Kind
	Fact     lifecycle.Fact // its last event
}

var resourcesStuck = prometheus.NewDesc("mkio_bridge_resources_stuck",
	"Resources that are in their state for longer than three times the 95th percentile of their kind and state or, with fewer than ten samples, than a fixed time.",
	[]string{"kind", "state"}, nil)

// A stuckCollector exports how many resources are stuck. A state has its series as soon as it has a sample or a resource
// that is stuck.
type stuckCollector struct{ heads Heads }

// Describe implements [prometheus.Collector].
func (c stuckCollector) Describe(ch chan<- *prometheus.Desc) { ch <- resourcesStuck }

// Collect implements [prometheus.Collector].
func (c stuckCollector) Collect(ch chan<- prometheus.Metric) {
	type labels struct {
		kind  lifecycle.Kind
		state string
	}
	counts := map[labels]int{}
	for _, u := range c.heads.Durations() {
		counts[labels{u.Kind, u.State}] = 0
	}
	for _, s := range c.heads.Stuck(time.Now()) {
		state, _ := lifecycle.Transient(s.Kind, s.Fact.State, s.Fact.Provisioning)
		counts[labels{s.Kind, state}]++
	}
	for of, n := range counts {
		ch <- prometheus.MustNewConstMetric(resourcesStuck, prometheus.GaugeValue, float64(n), string(of.kind), of.state)
	}
}
