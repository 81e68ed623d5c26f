package publish

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// transitionalCounts counts the resources in a transitional state, by kind and by the minute since when they are in it. So
// the gauge of stuck resources is cheap, however many resources are cached.
type transitionalCounts map[lifecycle.Kind]map[minute]int

// A minute is a number of minutes since 1970. The zero minute stands for a resource that is not in a transitional state.
type minute int64

// transitionalSince returns the minute since when a resource is in its transitional state: by MK.IO's times, else by the
// time of observation; 0 if it may stay in its state.
func transitionalSince(kind lifecycle.Kind, f *lifecycle.Fact) minute {
	if _, ok := lifecycle.Transient(kind, f.State, f.Provisioning); !ok {
		return 0
	}
	if since := f.Since(); !since.IsZero() {
		return minute(since.Unix() / 60)
	}
	return minute(time.Now().Unix() / 60)
}

// add adds n resources of a kind that are transitional since a minute; n is negative to remove them.
func (w transitionalCounts) add(kind lifecycle.Kind, since minute, n int) {
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

// ageBuckets are the values of the label age.
var ageBuckets = []struct {
	label string
	age   time.Duration
}{{"0s", 0}, {"5m", 5 * time.Minute}, {"1h", time.Hour}, {"6h", 6 * time.Hour}, {"1d", 24 * time.Hour}}

// atLeast returns how many resources of a kind are transitional for at least an age. With age 0 it counts also those with a
// time in the future, because this clock may be behind MK.IO's.
func (w transitionalCounts) atLeast(kind lifecycle.Kind, age time.Duration, now time.Time) (n int) {
	newest := minute(now.Add(-age).Unix() / 60)
	for since, count := range w[kind] {
		if age == 0 || since <= newest {
			n += count
		}
	}
	return n
}

// countByKind returns how many resources of each kind are cached.
func (h *heads) countByKind() map[lifecycle.Kind]int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	n := map[lifecycle.Kind]int{}
	for name, g := range h.groups {
		n[event.KindOf(name)] += len(g.living) + len(g.deleted)
	}
	return n
}

// livingByKind returns how many resources of each kind are cached and not deleted.
func (h *heads) livingByKind() map[lifecycle.Kind]int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	n := map[lifecycle.Kind]int{}
	for name, g := range h.groups {
		n[event.KindOf(name)] += len(g.living)
	}
	return n
}

// failedByKind returns how many resources of each kind have a failed provisioning.
func (h *heads) failedByKind() map[lifecycle.Kind]int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	n := map[lifecycle.Kind]int{}
	for name, g := range h.groups {
		n[event.KindOf(name)] += len(g.failed)
	}
	return n
}

// transitionalByAge returns, for each kind, how many resources are transitional for at least each age of [ageBuckets].
func (h *heads) transitionalByAge(now time.Time) map[lifecycle.Kind][]int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	n := map[lifecycle.Kind][]int{}
	for _, kind := range lifecycle.Kinds() {
		for _, a := range ageBuckets {
			n[kind] = append(n[kind], h.transitional.atLeast(kind, a.age, now))
		}
	}
	return n
}

// A resourceCollector exports how many resources are cached, how many of them are transitional, and how many have a failed
// provisioning.
type resourceCollector struct{ heads *heads }

var (
	resourcesKnown = prometheus.NewDesc("mkio_bridge_resources_known",
		"Resources whose last event is cached, deleted ones included.", []string{"kind"}, nil)
	resourcesTransitional = prometheus.NewDesc("mkio_bridge_resources_transitional",
		"Resources in a transitional or deleting phase and queued jobs, by how long they are in their state: age is a minimum, so each value includes those with a higher age, and 0s all.",
		[]string{"kind", "age"}, nil)
	resourcesProvisioningFailed = prometheus.NewDesc("mkio_bridge_resources_provisioning_failed",
		"Resources whose provisioning has failed; of kind storage: which have no active credential.", []string{"kind"}, nil)
)

// Describe implements [prometheus.Collector].
func (r resourceCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- resourcesKnown
	ch <- resourcesTransitional
	ch <- resourcesProvisioningFailed
}

// Collect implements [prometheus.Collector].
func (r resourceCollector) Collect(ch chan<- prometheus.Metric) {
	known, transitional, failed := r.heads.countByKind(), r.heads.transitionalByAge(time.Now()), r.heads.failedByKind()
	for _, kind := range lifecycle.Kinds() {
		ch <- prometheus.MustNewConstMetric(resourcesKnown, prometheus.GaugeValue, float64(known[kind]), string(kind))
		ch <- prometheus.MustNewConstMetric(resourcesProvisioningFailed, prometheus.GaugeValue, float64(failed[kind]), string(kind))
		for i, a := range ageBuckets {
			ch <- prometheus.MustNewConstMetric(resourcesTransitional, prometheus.GaugeValue, float64(transitional[kind][i]), string(kind), a.label)
		}
	}
}
