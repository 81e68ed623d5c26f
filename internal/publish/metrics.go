package publish

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/streams"
)

// Results of a write of an event.
const (
	resultStored   = "stored"
	resultConflict = "conflict" // another event of the resource was stored first
	resultFailed   = "failed"
)

type metrics struct {
	observed    *prometheus.CounterVec
	publishes   *prometheus.CounterVec
	age         *prometheus.HistogramVec
	unapplied   *prometheus.CounterVec
	failed      prometheus.Counter
	tailsBehind prometheus.Counter
	ackSeconds  prometheus.Histogram

	bySeries map[seriesKey]series
}

// A seriesKey has the labels of a series.
type seriesKey struct {
	kind lifecycle.Kind
	via  lifecycle.Via
}

// A series holds the metrics with the labels of one seriesKey. They are looked up once, because each delivery needs them.
type series struct {
	outcomes                 [lifecycle.Conflict + 1]prometheus.Counter
	stored, conflict, failed prometheus.Counter
	age                      prometheus.Observer
}

func newMetrics() *metrics {
	m := &metrics{
		observed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mkio_bridge_observations_total",
			Help: "Observations by outcome: changed, repeat, flap, late, conflict.",
		}, []string{"kind", "via", "outcome"}),
		publishes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mkio_bridge_publishes_total",
			Help: "Writes of events by result: stored, conflict (another event was stored first; the observation is decided again) or failed.",
		}, []string{"kind", "via", "result"}),
		age: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:                        "mkio_bridge_event_age_seconds",
			Help:                        "Time from MK.IO's time of a change to the acknowledgement of its event, without changes that have no time of MK.IO, discovered resources and retries.",
			Buckets:                     prometheus.ExponentialBuckets(0.05, 3, 11),
			NativeHistogramBucketFactor: 1.1,
		}, []string{"via"}),
		unapplied: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mkio_bridge_unapplied_total",
			Help: "Deliveries that became no event and were stored in MKIO_UNAPPLIED (duplicates of a body are stored once).",
		}, []string{"reason"}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mkio_bridge_publish_failures_total",
			Help: "Observations and deliveries that JetStream could not store. Deliveries were answered 503, so that MK.IO sends them again.",
		}),
		tailsBehind: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mkio_bridge_tail_behind_total",
			Help: "Restarts of the tail of the log because it received no events though the log had more: its consumer had been changed, paused or lost.",
		}),
		ackSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:                        "mkio_bridge_publish_ack_seconds",
			Help:                        "Time from publishing an event to JetStream's acknowledgement.",
			Buckets:                     prometheus.ExponentialBuckets(0.0001, 2.5, 12),
			NativeHistogramBucketFactor: 1.1,
		}),
		bySeries: map[seriesKey]series{},
	}
	for _, r := range lifecycle.Reasons() {
		m.unapplied.WithLabelValues(string(r))
	}
	for _, kind := range lifecycle.Kinds() {
		for _, via := range []lifecycle.Via{lifecycle.Webhook, lifecycle.Poll, lifecycle.History} {
			if kind != lifecycle.ChannelInstance || via == lifecycle.Webhook { // which is never polled
				m.bySeries[seriesKey{kind, via}] = m.newSeries(kind, via)
			}
		}
	}
	return m
}

// newSeries looks up the metrics of a series; from then on they are exported, with 0.
func (m *metrics) newSeries(kind lifecycle.Kind, via lifecycle.Via) series {
	l := series{
		stored:   m.publishes.WithLabelValues(string(kind), string(via), resultStored),
		conflict: m.publishes.WithLabelValues(string(kind), string(via), resultConflict),
		failed:   m.publishes.WithLabelValues(string(kind), string(via), resultFailed),
		age:      m.age.WithLabelValues(string(via)),
	}
	for outcome := lifecycle.Changed; outcome <= lifecycle.Conflict; outcome++ {
		if outcome != lifecycle.Reborn { // never final: the observation is decided again
			l.outcomes[outcome] = m.observed.WithLabelValues(string(kind), string(via), outcome.String())
		}
	}
	return l
}

func (m *metrics) seriesOf(o lifecycle.Observation) series {
	if l, ok := m.bySeries[seriesKey{o.Key.Kind, o.Via}]; ok {
		return l
	}
	return m.newSeries(o.Key.Kind, o.Via)
}

// countOutcome counts the outcome of an observation.
func (m *metrics) countOutcome(o lifecycle.Observation, outcome lifecycle.Outcome) {
	m.seriesOf(o).outcomes[outcome].Inc()
}

// countStored counts an event that was just acknowledged; sent is when it was published.
func (m *metrics) countStored(o lifecycle.Observation, sent time.Time) {
	now, l := time.Now(), m.seriesOf(o)
	m.ackSeconds.Observe(now.Sub(sent).Seconds())
	l.stored.Inc()
	if at, from := event.TimeOf(o); from == event.TimeFromMKIO && !o.Discovered && !o.Retried {
		l.age.Observe(max(0, now.Sub(at).Seconds())) // MK.IO's clock may be ahead
	}
}

// countFailed counts a write that was refused or not acknowledged.
func (m *metrics) countFailed(o lifecycle.Observation, err error) {
	if streams.Conflicted(err) {
		m.seriesOf(o).conflict.Inc()
		return
	}
	m.seriesOf(o).failed.Inc()
}

// Collectors returns the publisher's metrics.
func (p *Publisher) Collectors() []prometheus.Collector {
	return []prometheus.Collector{
		p.metrics.observed, p.metrics.publishes, p.metrics.age, p.metrics.unapplied, p.metrics.failed, p.metrics.tailsBehind, p.metrics.ackSeconds,
		p.ledger,
		resourceCollector{p.heads},
		stuckCollector{p.Heads},
		gauge("mkio_bridge_log_missing_events", "Events missing in the middle of the log: its store was damaged.",
			func() float64 { return float64(p.follower.missing.Load()) }),
		gauge("mkio_bridge_store_unavailable", "1 while JetStream cannot store events: deliveries are answered 503 immediately, and polling pauses.",
			func() float64 { return oneIf(p.Unavailable() != nil) }),
		gauge("mkio_bridge_unapplied_stored", "Deliveries in MKIO_UNAPPLIED, as of the last survey.",
			func() float64 { return float64(p.watchdog.unapplied.Load()) }),
		gauge("mkio_bridge_unapplied_used_ratio", "Used share of MKIO_UNAPPLIED's size limit, as of the last survey; when it is full, deliveries that become no event are answered 503.",
			func() float64 { return float64(p.watchdog.unappliedPermille.Load()) / 1000 }),
		gauge("mkio_bridge_nats_connected", "1 while NATS is connected.",
			func() float64 { return oneIf(p.nc.IsConnected()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "mkio_bridge_nats_reconnects_total",
			Help: "Reconnects to NATS.",
		}, func() float64 { return float64(p.nc.Stats().Reconnects) }),
	}
}

func gauge(name, help string, value func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
