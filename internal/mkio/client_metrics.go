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
			Help: "Requests to MK.IO's API by method and status; code is none where no answer came.",
		}, []string{"method", "code", "class"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:                        "mkio_bridge_api_request_duration_seconds",
			Help:                        "Time from a request to MK.IO's API to the end of its answer.",
			Buckets:                     prometheus.ExponentialBuckets(0.01, 2.5, 10),
			NativeHistogramBucketFactor: 1.1,
		}),
		grants: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mkio_bridge_api_budget_granted_total",
			Help: "Requests that a project's budget granted; project is empty for those of none.",
		}, []string{"project"}),
		waits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:                        "mkio_bridge_api_budget_wait_seconds",
			Help:                        "How long requests waited for the budget, by their class: urgent (in motion, or asked for), changes, sweeps.",
			Buckets:                     prometheus.ExponentialBuckets(0.01, 4, 9),
			NativeHistogramBucketFactor: 1.1,
		}, []string{"class"}),
	}
	for class := range classes {
		m.waits.WithLabelValues(class.String())
	}
	return m
}

// granted counts a request that waited for its budget.
func (m *clientMetrics) granted(r request, waited time.Duration) {
	m.grants.WithLabelValues(r.project).Inc()
	m.waits.WithLabelValues(r.class.String()).Observe(waited.Seconds())
}

// asked counts a request; status is 0 where no answer came.
func (m *clientMetrics) asked(r request, status int, took time.Duration) {
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
	return []prometheus.Collector{m.requests, m.seconds, m.grants, m.waits, tokenEnd{c}, c.silence}
}

// tokenEnd tells when the token ends, where it says so.
type tokenEnd struct{ client *Client }

var tokenEnds = prometheus.NewDesc("mkio_bridge_api_token_expiry_timestamp_seconds",
	"When the API token ends, in seconds since 1970; absent for a token that does not say.", nil, nil)

// Describe makes it a collector.
func (t tokenEnd) Describe(ch chan<- *prometheus.Desc) { ch <- tokenEnds }

// Collect reads the token as it is now.
func (t tokenEnd) Collect(ch chan<- prometheus.Metric) {
	if end, ok := t.client.TokenEnd(); ok {
		ch <- prometheus.MustNewConstMetric(tokenEnds, prometheus.GaugeValue, float64(end.Unix()))
	}
}
