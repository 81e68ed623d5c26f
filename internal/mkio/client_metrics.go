package mkio

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type clientMetrics struct {
	requests *prometheus.CounterVec
	seconds  prometheus.Histogram
	grants   *prometheus.CounterVec
	waits    *prometheus.HistogramVec
}

func newClientMetrics() *clientMetrics {
	m := &clientMetrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mkio_bridge_api_requests_total",
			Help: "Requests to MK.IO's API by method and status; code is none where no response came.",
		}, []string{"method", "code", "class"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:                        "mkio_bridge_api_request_duration_seconds",
			Help:                        "Time from a request to MK.IO's API to the end of its response.",
			Buckets:                     prometheus.ExponentialBuckets(0.01, 2.5, 10),
			NativeHistogramBucketFactor: 1.1,
		}),
		grants: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mkio_bridge_api_budget_granted_total",
			Help: "Requests that a project's budget granted; project is empty for requests without a project.",
		}, []string{"project"}),
		waits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:                        "mkio_bridge_api_budget_wait_seconds",
			Help:                        "Time that requests waited for the budget, by class: urgent (in motion, rechecks), changes (delta sweeps), sweeps (full sweeps).",
			Buckets:                     prometheus.ExponentialBuckets(0.01, 4, 9),
			NativeHistogramBucketFactor: 1.1,
		}, []string{"class"}),
	}
	for class := range classes {
		m.waits.WithLabelValues(class.String())
	}
	return m
}

// observeGrant counts a granted request and its wait for the budget.
func (m *clientMetrics) observeGrant(r request, waited time.Duration) {
	m.grants.WithLabelValues(r.project).Inc()
	m.waits.WithLabelValues(r.class.String()).Observe(waited.Seconds())
}

// observe counts a request; status is 0 if no response came.
func (m *clientMetrics) observe(r request, status int, took time.Duration) {
	m.seconds.Observe(took.Seconds())
	code := "none"
	if status != 0 {
		code = strconv.Itoa(status)
	}
	m.requests.WithLabelValues(r.method, code, r.class.String()).Inc()
}

func (c Class) String() string {
	switch c {
	case Urgent:
		return "urgent"
	case Changes:
		return "changes"
	case Sweeps, classes:
	}
	return "sweeps"
}

// Collectors returns the client's metrics.
func (c *Client) Collectors() []prometheus.Collector {
	m := c.metrics
	return []prometheus.Collector{m.requests, m.seconds, m.grants, m.waits, tokenExpiryCollector{c}, c.outage}
}

// A tokenExpiryCollector exports when the current token expires; without a value if the token does not say.
type tokenExpiryCollector struct{ client *Client }

var tokenExpiryDesc = prometheus.NewDesc("mkio_bridge_api_token_expiry_timestamp_seconds",
	"Unix time at which the API token expires; absent for a token without expiry.", nil, nil)

// Describe implements prometheus.Collector.
func (t tokenExpiryCollector) Describe(ch chan<- *prometheus.Desc) { ch <- tokenExpiryDesc }

// Collect implements prometheus.Collector.
func (t tokenExpiryCollector) Collect(ch chan<- prometheus.Metric) {
	if end, ok := t.client.TokenExpiry(); ok {
		ch <- prometheus.MustNewConstMetric(tokenExpiryDesc, prometheus.GaugeValue, float64(end.Unix()))
	}
}
