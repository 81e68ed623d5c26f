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
	sweeps map[sweptKind]time.Time // when each was last swept to its end
}

type sweptKind struct {
	project string
	kind    lifecycle.Kind
}

func newMetrics() *metrics {
	return &metrics{
		observations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mkio_bridge_poll_observations_total",
			Help: "Resources that MK.IO showed to a poll, by what became of the sight.",
		}, []string{"kind", "outcome"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mkio_bridge_poll_failures_total",
			Help: "Lists and resources that could not be asked for, by the reason: a status, network, log, incomplete, identity or answer.",
		}, []string{"project", "list", "reason"}),
		breakerOpen: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mkio_bridge_poll_unavailable",
			Help: "1 while polling of a project pauses because the token is refused or the log cannot be written.",
		}, []string{"project"}),
		history: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mkio_bridge_history_deliveries_total",
			Help: "Rows of the delivery history that were looked up, by their status.",
		}, []string{"project", "status"}),
		newest: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mkio_bridge_history_newest_timestamp_seconds",
			Help: "When the newest row of the delivery history with a status was made, in seconds since 1970: sent, or unsent (failed or tried again); 0 where there was none.",
		}, []string{"project", "status"}),
		gaps: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mkio_bridge_coverage_gap",
			Help: "1 while it is not proven that the log has all of a kind: a sweep failed or is overdue, or deletions wait.",
		}, []string{"project", "kind"}),
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mkio_bridge_poll_deletions_waiting",
			Help: "Deletions that wait to be confirmed again because too many resources of a kind were gone at once.",
		}, []string{"project", "kind"}),
		refused: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mkio_bridge_poll_identity_refused",
			Help: "1 while a project is not polled because what answers is not the MK.IO that the log is of: another address, organisation or project id.",
		}, []string{"project"}),
		unknown: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mkio_bridge_poll_identity_unknown",
			Help: "1 while nothing tells whether a project that answers is the one that the log is of, so that its deletions wait.",
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

// identified tells what is known of a project's identity.
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

// delivered tells when the newest rows of the delivery history were made (zero: there was none).
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

// left takes back what is told of a project: it is another's to tell now.
func (m *metrics) forgetProject(project string) {
	for _, gauge := range []*prometheus.GaugeVec{m.breakerOpen, m.gaps, m.newest, m.waiting, m.refused, m.unknown} {
		gauge.DeletePartialMatch(prometheus.Labels{"project": project})
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.sweeps, func(k sweptKind, _ time.Time) bool { return k.project == project })
}

// reasonOf puts an error into one of a few classes.
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

// sweepInterval tells how often everything is compared, which is what the ages are held against.
func (p *Poller) sweepInterval() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mkio_bridge_sweep_interval_seconds",
		Help: "Time between two full sweeps, as configured.",
	}, func() float64 { return p.Full.Seconds() })
}

// sweepAges tells how long ago each kind was swept to its end.
type sweepAges struct{ poller *Poller }

var sweepAge = prometheus.NewDesc("mkio_bridge_sweep_age_seconds",
	"Time since every resource of a kind was last compared with MK.IO, of projects that are polled here.", []string{"project", "kind"}, nil)

// Describe makes it a collector.
func (s sweepAges) Describe(ch chan<- *prometheus.Desc) { ch <- sweepAge }

// Collect tells the ages as they are now.
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

// leasesHeld tells which projects are polled here.
type leasesHeld struct{ poller *Poller }

var leaseHeld = prometheus.NewDesc("mkio_bridge_lease_held", "1 for each project that is polled here.", []string{"project"}, nil)

// Describe makes it a collector.
func (h leasesHeld) Describe(ch chan<- *prometheus.Desc) { ch <- leaseHeld }

// Collect tells the projects as they are now.
func (h leasesHeld) Collect(ch chan<- prometheus.Metric) {
	h.poller.mu.Lock()
	defer h.poller.mu.Unlock()
	for name := range h.poller.projects {
		ch <- prometheus.MustNewConstMetric(leaseHeld, prometheus.GaugeValue, 1, name)
	}
}
