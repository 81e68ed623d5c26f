package edge

import "github.com/prometheus/client_golang/prometheus"

// NewTLSFailures returns the counter behind [Config.TLSFailed] of the webhook listener.
func NewTLSFailures() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Name: "mkio_bridge_webhook_tls_failures_total",
		Help: "Failed TLS handshakes of the webhook listener, except those of clients that close or send nothing, as port probes do.",
	})
}

// Expiry is a collector of a certificate's expiry. Certificate is nil without TLS: then there is no sample.
type Expiry struct{ Certificate *Certificate }

var expiry = prometheus.NewDesc("mkio_bridge_tls_certificate_expiry_timestamp_seconds",
	"When the webhook listener's certificate expires, in seconds since 1970; absent without TLS.", nil, nil)

// Describe implements [prometheus.Collector].
func (e Expiry) Describe(ch chan<- *prometheus.Desc) { ch <- expiry }

// Collect implements [prometheus.Collector], with the current certificate.
func (e Expiry) Collect(ch chan<- prometheus.Metric) {
	if e.Certificate != nil {
		ch <- prometheus.MustNewConstMetric(expiry, prometheus.GaugeValue, float64(e.Certificate.pair.Load().Leaf.NotAfter.Unix()))
	}
}
