package poll

import (
	"errors"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/identity"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

type metrics struct {
	observations *prometheus.CounterVec
	failures     *prometheus.CounterVec
	breakerOpen  *prometheus.GaugeVec
	history      *prometheus.CounterVec
	newest       *prometheus.GaugeVec
	gaps         *prometheus.GaugeVec
	refused      *prometheus.GaugeVec
	unknown      *prometheus.GaugeVec
	waiting      *prometheus.GaugeVec

	mu     sync.Mutex
	sweeps map[sweptKind]time.Time // when each kind was last swept completely
}

type sweptKind struct {
	project string
	kind    lifecycle.Kind
}

func newMetrics() *metrics {
	return &metrics{
		observations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mkio_bridge_poll_observations_total",
			Help: "Observations of polls, by outcome.",
		}, []string{"kind", "outcome"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mkio_bridge_poll_failures_total",
			Help: "Failed polls of lists and resources, by reason: an HTTP status, network, log, incomplete, identity, or answer for a response that cannot be used.",
		}, []string{"project", "list", "reason"}),
		breakerOpen: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mkio_bridge_poll_unavailable",
			Help: "1 while polling of a project is paused because the token is refused or the log cannot be written.",
		}, []string{"project"}),
		history: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mkio_bridge_history_deliveries_total",
			Help: "Deliveries that did not arrive, according to the delivery history, by their status there.",
		}, []string{"project", "status"}),
		newest: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mkio_bridge_history_newest_timestamp_seconds",
			Help: "When the newest delivery of the delivery history was created, as a Unix time: sent, or unsent (failed or retrying); 0 where there is none.",
		}, []string{"project", "status"}),
		gaps: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mkio_bridge_coverage_gap",
			Help: "1 while it is not verified that the log has every resource of a kind: a sweep failed or is overdue, or deletions wait.",
		}, []string{"project", "kind"}),
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mkio_bridge_poll_deletions_waiting",
			Help: "Deletions that wait for a second confirmation because too many resources of a kind were gone at once.",
		}, []string{"project", "kind"}),
		refused: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mkio_bridge_poll_identity_refused",
			Help: "1 while a project is not polled because its identity differs from the log's: another address, organisation or project id.",
		}, []string{"project"}),
		unknown: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mkio_bridge_poll_identity_unknown",
			Help: "1 while it is unknown whether a project is the one whose events the log has, so that its deletions wait.",
		}, []string{"project"}),
		sweeps: map[sweptKind]time.Time{},
	}
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.observations, m.failures, m.breakerOpen, m.history, m.newest, m.gaps, m.waiting, m.refused, m.unknown}
}

func (m *metrics) observed(o lifecycle.Observation, v lifecycle.Verdict) {
	m.observations.WithLabelValues(string(o.Key.Kind), v.Outcome.String()).Inc()
}

func (m *metrics) failed(project, list string, err error) {
	m.failures.WithLabelValues(project, list, reasonOf(err)).Inc()
}

func (m *metrics) setBreaker(project string, open bool) {
	value := 0.0
	if open {
		value = 1
	}
	m.breakerOpen.WithLabelValues(project).Set(value)
}

// setIdentity exports the standing of a project's identity.
func (m *metrics) setIdentity(project string, s identity.Standing) {
	for gauge, standing := range map[*prometheus.GaugeVec]identity.Standing{m.refused: identity.Another, m.unknown: identity.Unknown} {
		value := 0.0
		if s == standing {
			value = 1
		}
		gauge.WithLabelValues(project).Set(value)
	}
}

func (m *metrics) setGap(project string, kind lifecycle.Kind, open bool) {
	value := 0.0
	if open {
		value = 1
	}
	m.gaps.WithLabelValues(project, string(kind)).Set(value)
}

func (m *metrics) setWaiting(project string, kind lifecycle.Kind, deletions int) {
	m.waiting.WithLabelValues(project, string(kind)).Set(float64(deletions))
}

// setNewest exports when the newest deliveries of the history were created; zero: there is none.
func (m *metrics) setNewest(project string, sent, unsent time.Time) {
	for status, at := range map[string]time.Time{"sent": sent, "unsent": unsent} {
		seconds := 0.0
		if !at.IsZero() {
			seconds = float64(at.UnixMilli()) / 1000
		}
		m.newest.WithLabelValues(project, status).Set(seconds)
	}
}

func (m *metrics) swept(project string, kind lifecycle.Kind, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweeps[sweptKind{project, kind}] = at
}

// forgetProject removes the gauges of a project that another bridge may poll and export now.
func (m *metrics) forgetProject(project string) {
	for _, gauge := range []*prometheus.GaugeVec{m.breakerOpen, m.gaps, m.newest, m.waiting, m.refused, m.unknown} {
		gauge.DeletePartialMatch(prometheus.Labels{"project": project})
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.sweeps, func(k sweptKind, _ time.Time) bool { return k.project == project })
}

// reasonOf returns the label "reason" of an error, one of a closed set.
func reasonOf(err error) string {
	if status := mkio.StatusOf(err); status != 0 {
		return strconv.Itoa(status)
	}
	if _, ok := errors.AsType[logError](err); ok {
		return "log"
	}
	switch {
	case isIdentityError(err):
		return "identity"
	case errors.Is(err, errIncomplete):
		return "incomplete"
	case mkio.IsNetwork(err):
		return "network"
	}
	return "answer"
}

// sweepInterval exports the configured time between two full sweeps, for alerts to compare sweepAges with.
func (p *Poller) sweepInterval() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mkio_bridge_sweep_interval_seconds",
		Help: "Configured time between two full sweeps.",
	}, func() float64 { return p.Full.Seconds() })
}

// sweepAges exports how long ago each kind was last swept completely.
type sweepAges struct{ poller *Poller }

var sweepAge = prometheus.NewDesc("mkio_bridge_sweep_age_seconds",
	"Time since every resource of a kind was last compared with MK.IO, for projects that this bridge polls.", []string{"project", "kind"}, nil)

// Describe implements [prometheus.Collector].
func (s sweepAges) Describe(ch chan<- *prometheus.Desc) { ch <- sweepAge }

// Collect implements [prometheus.Collector].
func (s sweepAges) Collect(ch chan<- prometheus.Metric) {
	m := s.poller.metrics
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, at := range m.sweeps {
		if s.poller.project(k.project) != nil {
			ch <- prometheus.MustNewConstMetric(sweepAge, prometheus.GaugeValue, time.Since(at).Seconds(), k.project, string(k.kind))
		}
	}
}

// leasesHeld exports which projects this bridge polls.
type leasesHeld struct{ poller *Poller }

var leaseHeld = prometheus.NewDesc("mkio_bridge_lease_held", "1 for each project that this bridge polls.", []string{"project"}, nil)

// Describe implements [prometheus.Collector].
func (h leasesHeld) Describe(ch chan<- *prometheus.Desc) { ch <- leaseHeld }

// Collect implements [prometheus.Collector].
func (h leasesHeld) Collect(ch chan<- prometheus.Metric) {
	h.poller.mu.Lock()
	defer h.poller.mu.Unlock()
	for name := range h.poller.projects {
		ch <- prometheus.MustNewConstMetric(leaseHeld, prometheus.GaugeValue, 1, name)
	}
}
