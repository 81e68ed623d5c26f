package publish

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/lifecycle"
)

// waiting counts the resources whose next state is to be expected soon, by kind and by the minute since when they are in
// their state. So the gauge of stuck resources costs little, however many resources are known.
type waiting map[lifecycle.Kind]map[minute]int

// A minute is one since 1970. The zero minute stands for a resource that may stay as it is for as long as somebody likes.
type minute int64

// minuteOf is the minute since when a resource is in its state, as far as anybody said.
func minuteOf(kind lifecycle.Kind, f *lifecycle.Fact) minute {
	switch phase := lifecycle.PhaseOf(kind, f.State, f.Provisioning); {
	case phase == lifecycle.Transitional, phase == lifecycle.Deleting, phase == lifecycle.Initial && kind == lifecycle.Job:
	default: // assets wait for media, channels for somebody who starts them
		return 0
	}
	for _, at := range []time.Time{f.At, f.Modified, f.SeenBefore} {
		if !at.IsZero() {
			return minute(at.Unix() / 60)
		}
	}
	return minute(time.Now().Unix() / 60)
}

// add counts resources of a kind that wait since a minute; n is negative for those that do so no longer.
func (w waiting) add(kind lifecycle.Kind, since minute, n int) {
	if since == 0 {
		return
	}
	if w[kind] == nil {
		w[kind] = map[minute]int{}
	}
	if w[kind][since] += n; w[kind][since] == 0 {
		delete(w[kind], since)
	}
}

// atLeast are the ages that are told apart.
var atLeast = []struct {
	label string
	age   time.Duration
}{{"0s", 0}, {"5m", 5 * time.Minute}, {"1h", time.Hour}, {"6h", 6 * time.Hour}, {"1d", 24 * time.Hour}}

// longer counts those of a kind that wait at least so long. A clock that is behind MK.IO's takes nothing away.
func (w waiting) longer(kind lifecycle.Kind, age time.Duration, now time.Time) (n int) {
	latest := minute(now.Add(-age).Unix() / 60)
	for since, count := range w[kind] {
		if age == 0 || since <= latest {
			n += count
		}
	}
	return n
}

// sizes is how many resources of each kind are known.
func (h *heads) sizes() map[lifecycle.Kind]int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	n := map[lifecycle.Kind]int{}
	for name, g := range h.groups {
		n[kindOf(name)] += len(g.heads)
	}
	return n
}

// overdue is how many resources of each kind wait at least as long as each of [atLeast].
func (h *heads) overdue(now time.Time) map[lifecycle.Kind][]int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	n := map[lifecycle.Kind][]int{}
	for _, kind := range lifecycle.Kinds() {
		for _, a := range atLeast {
			n[kind] = append(n[kind], h.waiting.longer(kind, a.age, now))
		}
	}
	return n
}

// knownResources tells how many resources are known, and how many of them wait.
type knownResources struct{ heads *heads }

var (
	resourcesKnown = prometheus.NewDesc("mkio_bridge_resources_known",
		"Resources whose last event is remembered, those that are gone included.", []string{"kind"}, nil)
	resourcesWaiting = prometheus.NewDesc("mkio_bridge_resources_transitional",
		"Resources in a transitional phase, being deleted, or jobs that have not begun, which are in their state for at least an age: 0s counts them all, and each age is contained in those before it.",
		[]string{"kind", "age"}, nil)
)

// Describe makes it a collector.
func (r knownResources) Describe(ch chan<- *prometheus.Desc) {
	ch <- resourcesKnown
	ch <- resourcesWaiting
}

// Collect counts as it is now.
func (r knownResources) Collect(ch chan<- prometheus.Metric) {
	sizes, waiting := r.heads.sizes(), r.heads.overdue(time.Now())
	for _, kind := range lifecycle.Kinds() {
		ch <- prometheus.MustNewConstMetric(resourcesKnown, prometheus.GaugeValue, float64(sizes[kind]), string(kind))
		for i, a := range atLeast {
			ch <- prometheus.MustNewConstMetric(resourcesWaiting, prometheus.GaugeValue, float64(waiting[kind][i]), string(kind), a.label)
		}
	}
}
