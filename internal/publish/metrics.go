package publish

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/streams"
)

// What becomes of one write of an event.
const (
	resultStored   = "stored"
	resultConflict = "conflict" // something else was recorded first
	resultFailed   = "failed"
)

type metrics struct {
	observed   *prometheus.CounterVec
	publishes  *prometheus.CounterVec
	age        *prometheus.HistogramVec
	unapplied  *prometheus.CounterVec
	failed     prometheus.Counter
	behind     prometheus.Counter
	ackSeconds prometheus.Histogram

	lanes map[laneKey]lane
}

// A laneKey is what the observations of one lane have in common.
type laneKey struct {
	kind lifecycle.Kind
	via  lifecycle.Via
}

// A lane holds the metrics of the observations with one laneKey. They are looked up once, because each delivery needs them.
type lane struct {
	outcomes                 [lifecycle.Conflict + 1]prometheus.Counter
	stored, conflict, failed prometheus.Counter
	age                      prometheus.Observer
}

func newMetrics() *metrics {
	m := &metrics{
		observed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mkio_bridge_observations_total",
			Help: "Observations by what became of them: changed, repeat, flap, late, conflict.",
		}, []string{"kind", "via", "outcome"}),
		publishes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mkio_bridge_publishes_total",
			Help: "Writes of events by their result: stored, conflict (something else was recorded first, and it is decided again) or failed.",
		}, []string{"kind", "via", "result"}),
		age: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:                        "mkio_bridge_event_age_seconds",
			Help:                        "Time from MK.IO's time of a change to the acknowledgement of its event, where MK.IO gave one; what was there before the bridge first looked, and what is retried, is left out.",
			Buckets:                     prometheus.ExponentialBuckets(0.05, 3, 11),
			NativeHistogramBucketFactor: 1.1,
		}, []string{"via"}),
		unapplied: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mkio_bridge_unapplied_total",
			Help: "Deliveries that became no event and were kept (repeats of one body are kept once).",
		}, []string{"reason"}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mkio_bridge_publish_failures_total",
			Help: "Observations and deliveries that JetStream could not store; they were answered 503 and come again.",
		}),
		behind: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mkio_bridge_tail_behind_total",
			Help: "How often the tail of the log got no more events though the log had them, and was begun anew: its consumer had been changed, paused or lost.",
		}),
		ackSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:                        "mkio_bridge_publish_ack_seconds",
			Help:                        "Time from publishing an event to JetStream's acknowledgement.",
			Buckets:                     prometheus.ExponentialBuckets(0.0001, 2.5, 12),
			NativeHistogramBucketFactor: 1.1,
		}),
		lanes: map[laneKey]lane{},
	}
	for _, r := range lifecycle.Reasons() {
		m.unapplied.WithLabelValues(string(r))
	}
	for _, kind := range lifecycle.Kinds() {
		for _, via := range []lifecycle.Via{lifecycle.Webhook, lifecycle.Poll, lifecycle.History} {
			if kind != lifecycle.ChannelInstance || via == lifecycle.Webhook { // which cannot be asked for
				m.lanes[laneKey{kind, via}] = m.newLane(kind, via)
			}
		}
	}
	return m
}

// newLane looks up the metrics of a lane; from then on they are exported, with 0.
func (m *metrics) newLane(kind lifecycle.Kind, via lifecycle.Via) lane {
	l := lane{
		stored:   m.publishes.WithLabelValues(string(kind), string(via), resultStored),
		conflict: m.publishes.WithLabelValues(string(kind), string(via), resultConflict),
		failed:   m.publishes.WithLabelValues(string(kind), string(via), resultFailed),
		age:      m.age.WithLabelValues(string(via)),
	}
	for outcome := lifecycle.Changed; outcome <= lifecycle.Conflict; outcome++ {
		if outcome != lifecycle.Reborn { // which goes on to another
			l.outcomes[outcome] = m.observed.WithLabelValues(string(kind), string(via), outcome.String())
		}
	}
	return l
}

func (m *metrics) laneOf(o lifecycle.Observation) lane {
	if l, ok := m.lanes[laneKey{o.Key.Kind, o.Via}]; ok {
		return l
	}
	return m.newLane(o.Key.Kind, o.Via)
}

// became counts what became of an observation.
func (m *metrics) became(o lifecycle.Observation, outcome lifecycle.Outcome) {
	m.laneOf(o).outcomes[outcome].Inc()
}

// acked counts an event that was asked to be stored at a moment, and was just acknowledged.
func (m *metrics) acked(o lifecycle.Observation, asked time.Time) {
	now, l := time.Now(), m.laneOf(o)
	m.ackSeconds.Observe(now.Sub(asked).Seconds())
	l.stored.Inc()
	if at, from := event.TimeOf(o); from == event.TimeFromMKIO && !o.Discovered && !o.Retried {
		l.age.Observe(max(0, now.Sub(at).Seconds())) // MK.IO's clock may be ahead
	}
}

// unacked counts a write that was not acknowledged.
func (m *metrics) unacked(o lifecycle.Observation, err error) {
	if streams.Conflicted(err) {
		m.laneOf(o).conflict.Inc()
		return
	}
	m.laneOf(o).failed.Inc()
}

// Collectors returns the publisher's metrics.
func (p *Publisher) Collectors() []prometheus.Collector {
	return []prometheus.Collector{
		p.metrics.observed, p.metrics.publishes, p.metrics.age, p.metrics.unapplied, p.metrics.failed, p.metrics.behind, p.metrics.ackSeconds,
		p.ledger,
		knownResources{p.heads},
		gauge("mkio_bridge_log_missing_events", "Events in the middle of the log that it has no more: its store was damaged.",
			func() float64 { return float64(p.follower.missing.Load()) }),
		gauge("mkio_bridge_store_unavailable", "1 while JetStream cannot store: deliveries are answered 503 at once, and polling pauses.",
			func() float64 { return oneIf(p.Trouble() != nil) }),
		gauge("mkio_bridge_unapplied_stored", "Deliveries that lie in MKIO_UNAPPLIED now, as far as was last looked.",
			func() float64 { return float64(p.watchdog.unapplied.Load()) }),
		gauge("mkio_bridge_unapplied_used_ratio", "How full MKIO_UNAPPLIED is, of 1, as far as was last looked; when it is full, what becomes no event is answered 503.",
			func() float64 { return float64(p.watchdog.unappliedPermille.Load()) / 1000 }),
		gauge("mkio_bridge_nats_connected", "1 while NATS is connected.",
			func() float64 { return oneIf(p.nc.IsConnected()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "mkio_bridge_nats_reconnects_total",
			Help: "How often the connection to NATS was lost and made again.",
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
