package edge

import "github.com/prometheus/client_golang/prometheus"

// NewTLSFailures returns the counter behind [Config.TLSFailed] of the webhook listener.
func NewTLSFailures() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Name: "mkio_bridge_webhook_tls_failures_total",
		Help: "Connections to the webhook listener that were refused within TLS; those that leave at once, as probes do, are not counted.",
	})
}

// Expiry is a collector of the time at which a certificate ends. Certificate is nil without TLS: then there is no sample.
type Expiry struct{ Certificate *Certificate }

var expiry = prometheus.NewDesc("mkio_bridge_tls_certificate_expiry_timestamp_seconds",
	"When the webhook listener's certificate ends, in seconds since 1970; absent without TLS.", nil, nil)

// Describe makes it a collector.
func (e Expiry) Describe(ch chan<- *prometheus.Desc) { ch <- expiry }

// Collect reads the current certificate, which may have been reloaded.
func (e Expiry) Collect(ch chan<- prometheus.Metric) {
	if e.Certificate != nil {
		ch <- prometheus.MustNewConstMetric(expiry, prometheus.GaugeValue, float64(e.Certificate.pair.Load().Leaf.NotAfter.Unix()))
	}
}
