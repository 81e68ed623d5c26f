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
	return []prometheus.Collector{c.metrics.requests}
}
