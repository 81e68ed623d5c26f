package mkio

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

type clientMetrics struct{ requests *prometheus.CounterVec }

func newClientMetrics() *clientMetrics {
	return &clientMetrics{requests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "mkio_bridge_api_requests_total",
		Help: "Requests to MK.IO's API by method and status; code is none where no answer came.",
	}, []string{"method", "code", "class"})}
}

// asked counts a request; status is 0 where no answer came.
func (m *clientMetrics) asked(r request, status int) {
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
	return []prometheus.Collector{c.metrics.requests, tokenEnd{c}}
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
