package publish

import (
	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/lifecycle"
)

type metrics struct {
	observed   *prometheus.CounterVec
	unapplied  *prometheus.CounterVec
	conflicts  prometheus.Counter
	failed     prometheus.Counter
	ackSeconds prometheus.Histogram
}

func newMetrics() *metrics {
	m := &metrics{
		observed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mkio_bridge_observations_total",
			Help: "Observations by what became of them: changed, repeat, flap, late, conflict.",
		}, []string{"kind", "via", "outcome"}),
		unapplied: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mkio_bridge_unapplied_total",
			Help: "Deliveries that became no event and were kept (repeats of one body are kept once).",
		}, []string{"reason"}),
		conflicts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mkio_bridge_publish_conflicts_total",
			Help: "Writes that JetStream refused because something else was recorded first.",
		}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mkio_bridge_publish_failures_total",
			Help: "Observations and deliveries that JetStream could not store; they were answered 503 and come again.",
		}),
		ackSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:                        "mkio_bridge_publish_ack_seconds",
			Help:                        "Time from publishing an event to JetStream's acknowledgement.",
			Buckets:                     prometheus.ExponentialBuckets(0.0001, 2.5, 12),
			NativeHistogramBucketFactor: 1.1,
		}),
	}
	for _, r := range lifecycle.Reasons() {
		m.unapplied.WithLabelValues(string(r))
	}
	return m
}

// Collectors returns the publisher's metrics.
func (p *Publisher) Collectors() []prometheus.Collector {
	known := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mkio_bridge_resources_known",
		Help: "Resources whose last event is remembered.",
	}, func() float64 { return float64(p.known.size()) })
	missing := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mkio_bridge_log_missing_events",
		Help: "Events in the middle of the log that it has no more: its store was damaged.",
	}, func() float64 { return float64(p.missing.Load()) })
	shut := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "mkio_bridge_store_troubled",
		Help: "1 while JetStream cannot store: deliveries are answered 503 at once, and polling pauses.",
	}, func() float64 {
		if p.Trouble() != nil {
			return 1
		}
		return 0
	})
	return []prometheus.Collector{missing, shut, p.metrics.observed, p.metrics.unapplied, p.metrics.conflicts, p.metrics.failed, p.metrics.ackSeconds, p.ledger, known}
}
