package edge

import "github.com/prometheus/client_golang/prometheus"

// NewTLSFailures returns the counter behind [Config.TLSFailed] of the webhook listener.
func NewTLSFailures() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Name: "mkio_bridge_webhook_tls_failures_total",
		Help: "Connections to the webhook listener that were refused within TLS; those that leave at once, as probes do, are not counted.",
	})
}
