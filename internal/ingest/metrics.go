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
	inHand   prometheus.Gauge
	bytes    prometheus.Gauge
	last     prometheus.Gauge

	answers map[int]prometheus.Counter // of requests by POST, found once
}

// usual are the answers that a delivery may be given. They are counted from the start, with 0.
var usual = []int{
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
			Help:                        "Time from a request's headers to its answer.",
			Buckets:                     prometheus.ExponentialBuckets(0.0002, 2.5, 12),
			NativeHistogramBucketFactor: 1.1,
		}),
		inHand: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mkio_bridge_webhook_requests_in_flight",
			Help: "Requests to the webhook's address that are not answered yet; over 1024 whole ones are answered 429.",
		}),
		bytes: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mkio_bridge_webhook_in_flight_bytes",
			Help: "Room that bodies of deliveries take that are not answered yet; over 16 MiB they are answered 429.",
		}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mkio_bridge_webhook_last_delivery_timestamp_seconds",
			Help: "When the last delivery with the right secret came, in seconds since 1970; 0 before the first.",
		}),
		answers: map[int]prometheus.Counter{},
	}
	for _, code := range usual {
		m.answers[code] = m.requests.WithLabelValues(http.MethodPost, strconv.Itoa(code))
	}
	return m
}

func (m *metrics) observe(method string, status int, took time.Duration) {
	m.seconds.Observe(took.Seconds())
	if counter, ok := m.answers[status]; ok && method == http.MethodPost {
		counter.Inc()
		return
	}
	m.requests.WithLabelValues(methodClass(method), strconv.Itoa(status)).Inc()
}

// otherMethod is the label of requests whose method the webhook's address does not have.
const otherMethod = "other"

// methodClass is the label of a method, of which a sender may make up any.
func methodClass(method string) string {
	if method == http.MethodPost || method == http.MethodOptions {
		return method
	}
	return otherMethod
}

// Collectors returns the handler's metrics.
func (h *Handler) Collectors() []prometheus.Collector {
	m := h.metrics
	return []prometheus.Collector{m.requests, m.seconds, m.inHand, m.bytes, m.last}
}
