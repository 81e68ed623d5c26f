package notify

import (
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the metrics of all rules.
type metrics struct {
	sent, failed, retried, dead, muted *prometheus.CounterVec
	lag, oldest, active, reading       *prometheus.GaugeVec
	lastSent                           *prometheus.GaugeVec
	reloadFailed, letters              prometheus.Gauge
}

func newMetrics() *metrics {
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mkio_bridge_notify_" + name, Help: help}, []string{"rule"})
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "mkio_bridge_notify_" + name, Help: help}, []string{"rule"})
	}
	return &metrics{
		sent:     counter("sent_total", "Messages that the target has accepted."),
		failed:   counter("failed_total", "Tries that failed."),
		retried:  counter("retried_total", "Tries after a failed one."),
		dead:     counter("dead_letters_total", "Messages that were given up; their dead letters are stored."),
		muted:    counter("muted_total", "Events that were not sent because the rule was muted."),
		lag:      gauge("lag_events", "Events of the log that the rule has not settled, those that its filter will leave out included."),
		oldest:   gauge("oldest_seconds", "Age of the oldest event that this process holds and has not settled; 0 if there is none."),
		active:   gauge("active", "1 in the process that runs the rule, 0 in others with the same rules."),
		reading:  gauge("reading", "1 while the rule's consumer can be read."),
		lastSent: gauge("last_sent_timestamp_seconds", "When the target last accepted a message; absent until it does."),
		reloadFailed: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mkio_bridge_notify_reload_failed", Help: "1 while the rules file has a mistake and the previous rules stay in use.",
		}),
		letters: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mkio_bridge_notify_dead_letters", Help: "Dead letters that are stored and were not retried.",
		}),
	}
}

func (m *metrics) vectors() []*prometheus.MetricVec {
	return []*prometheus.MetricVec{
		m.sent.MetricVec, m.failed.MetricVec, m.retried.MetricVec, m.dead.MetricVec, m.muted.MetricVec,
		m.lag.MetricVec, m.oldest.MetricVec, m.active.MetricVec, m.reading.MetricVec, m.lastSent.MetricVec,
	}
}

// Collectors returns the metrics.
func (n *Notifier) Collectors() []prometheus.Collector {
	collectors := []prometheus.Collector{n.metrics.reloadFailed, n.metrics.letters}
	for _, v := range n.metrics.vectors() {
		collectors = append(collectors, v)
	}
	return collectors
}

// ruleMetrics are the metrics of one rule, and what readiness depends on.
type ruleMetrics struct {
	all  *metrics
	rule string

	mu      sync.Mutex
	trouble error   // why the consumer cannot be read
	last    failure // of the last try
}

// errNotOpen is why a rule that has just been started is not ready.
var errNotOpen = errors.New("the consumer of a rule is not open yet")

// of returns the metrics of a rule, with counters at zero, so that an alert sees the first increase.
func (m *metrics) of(rule string) *ruleMetrics {
	for _, v := range []*prometheus.CounterVec{m.sent, m.failed, m.retried, m.dead, m.muted} {
		v.WithLabelValues(rule)
	}
	r := &ruleMetrics{all: m, rule: rule}
	r.reading(errNotOpen)
	return r
}

// forget removes the metrics of a rule that is gone.
func (m *metrics) forget(rule string) {
	for _, v := range m.vectors() {
		v.DeleteLabelValues(rule)
	}
}

func (r *ruleMetrics) sent() {
	r.all.sent.WithLabelValues(r.rule).Inc()
	r.all.lastSent.WithLabelValues(r.rule).SetToCurrentTime()
	r.setLast(failure{})
}

func (r *ruleMetrics) failed(err error) {
	r.all.failed.WithLabelValues(r.rule).Inc()
	r.setLast(failure{shorten(err.Error()), time.Now()})
}

func (r *ruleMetrics) setLast(f failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = f
}

func (r *ruleMetrics) lastFailure() failure {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// shorten limits the length of an error that is reported.
func shorten(text string) string {
	if r := []rune(text); len(r) > maxReported {
		return string(r[:maxReported-1]) + "…"
	}
	return text
}

func (r *ruleMetrics) retried()    { r.all.retried.WithLabelValues(r.rule).Inc() }
func (r *ruleMetrics) died()       { r.all.dead.WithLabelValues(r.rule).Inc() }
func (r *ruleMetrics) muted(n int) { r.all.muted.WithLabelValues(r.rule).Add(float64(n)) }

// reading records whether the consumer can be read.
func (r *ruleMetrics) reading(err error) {
	r.mu.Lock()
	r.trouble = err
	r.mu.Unlock()
	value := 1.0
	if err != nil {
		value = 0
	}
	r.all.reading.WithLabelValues(r.rule).Set(value)
}

// observe sets the gauges. oldest is when the oldest held event was stored; zero: none is held.
func (r *ruleMetrics) observe(lag uint64, oldest time.Time, active bool) {
	age, is := 0.0, 0.0
	if !oldest.IsZero() {
		age = time.Since(oldest).Seconds()
	}
	if active {
		is = 1
	}
	r.all.lag.WithLabelValues(r.rule).Set(float64(lag))
	r.all.oldest.WithLabelValues(r.rule).Set(age)
	r.all.active.WithLabelValues(r.rule).Set(is)
}

// err returns why the rule's consumer cannot be read; nil while it can.
func (r *ruleMetrics) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.trouble
}
