package ingest

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	requests *prometheus.CounterVec
	seconds  prometheus.Histogram
}

func newMetrics() *metrics {
	return &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mkio_bridge_webhook_requests_total",
			Help: "Requests to the webhook's address, by method (POST, OPTIONS, other) and status.",
		}, []string{"method", "code"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:                        "mkio_bridge_webhook_request_duration_seconds",
			Help:                        "Time from a request's headers to its answer.",
			Buckets:                     prometheus.ExponentialBuckets(0.0002, 2.5, 12),
			NativeHistogramBucketFactor: 1.1,
		}),
	}
}

func (m *metrics) observe(method string, status int, took time.Duration) {
	if method != http.MethodPost && method != http.MethodOptions {
		method = "other"
	}
	m.requests.WithLabelValues(method, strconv.Itoa(status)).Inc()
	m.seconds.Observe(took.Seconds())
}

// Collectors returns the handler's metrics.
func (h *Handler) Collectors() []prometheus.Collector {
	return []prometheus.Collector{h.metrics.requests, h.metrics.seconds}
}
