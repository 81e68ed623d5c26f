package ingest

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	requests     *prometheus.CounterVec
	seconds      prometheus.Histogram
	inFlight     prometheus.Gauge
	bytes        prometheus.Gauge
	lastDelivery prometheus.Gauge

	posts map[int]prometheus.Counter // of POST requests by status, resolved once
}

// deliveryStatuses are the statuses of responses to deliveries. Their series exist from the start, with value 0.
var deliveryStatuses = []int{
	http.StatusNoContent, http.StatusAccepted, http.StatusBadRequest, http.StatusUnauthorized, http.StatusNotFound, http.StatusRequestEntityTooLarge,
	http.StatusUnsupportedMediaType, http.StatusTooManyRequests, http.StatusServiceUnavailable,
}

func newMetrics() *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mkio_bridge_webhook_requests_total",
			Help: "Requests to the webhook listener, by method (POST, OPTIONS, other) and status; 404 is for another path than the webhook's.",
		}, []string{"method", "code"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:                        "mkio_bridge_webhook_request_duration_seconds",
			Help:                        "Time from a request's headers to its response.",
			Buckets:                     prometheus.ExponentialBuckets(0.0002, 2.5, 12),
			NativeHistogramBucketFactor: 1.1,
		}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mkio_bridge_webhook_requests_in_flight",
			Help: "Webhook requests in flight; over 1024 with a complete body, further ones are answered 429.",
		}),
		bytes: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mkio_bridge_webhook_in_flight_bytes",
			Help: "Bytes reserved for the bodies of webhook requests in flight; over 16 MiB, further requests are answered 429.",
		}),
		lastDelivery: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mkio_bridge_webhook_last_delivery_timestamp_seconds",
			Help: "Unix time of the last delivery with the right secret; 0 before the first.",
		}),
		posts: map[int]prometheus.Counter{},
	}
	for _, code := range deliveryStatuses {
		m.posts[code] = m.requests.WithLabelValues(http.MethodPost, strconv.Itoa(code))
	}
	return m
}

func (m *metrics) observe(method string, status int, took time.Duration) {
	m.seconds.Observe(took.Seconds())
	if counter, ok := m.posts[status]; ok && method == http.MethodPost {
		counter.Inc()
		return
	}
	m.requests.WithLabelValues(methodClass(method), strconv.Itoa(status)).Inc()
}

// otherMethod is the method label of requests that are neither POST nor OPTIONS.
const otherMethod = "other"

// methodClass returns the method label, of a closed set: a sender may make up any method.
func methodClass(method string) string {
	if method == http.MethodPost || method == http.MethodOptions {
		return method
	}
	return otherMethod
}

// Collectors returns the handler's metrics.
func (h *Handler) Collectors() []prometheus.Collector {
	m := h.metrics
	return []prometheus.Collector{m.requests, m.seconds, m.inFlight, m.bytes, m.lastDelivery}
}
