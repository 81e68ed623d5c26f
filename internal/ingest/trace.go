package ingest

import (
	"errors"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"mkio-bridge/internal/tracing"
)

// endDelivery ends the span of a delivery. The details of a refusal are in the log only.
func endDelivery(span trace.Span, a response) {
	var err error
	if a.status >= 500 {
		err = errors.New(a.detail)
	}
	tracing.End(span, err, func() []attribute.KeyValue {
		return []attribute.KeyValue{
			attribute.String("http.request.method", http.MethodPost),
			attribute.Int("http.response.status_code", a.status),
			attribute.String("mkio.outcome", spanOutcome(a.status)),
		}
	})
}

// spanOutcome returns the span's mkio.outcome for a status. stored includes duplicates of what the log has.
func spanOutcome(status int) string {
	switch status {
	case http.StatusNoContent:
		return "stored"
	case http.StatusAccepted:
		return "unapplied"
	case http.StatusBadRequest:
		return "malformed"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return "retry"
	}
	return "refused"
}

// endRetry ends the span of a retry.
func endRetry(span trace.Span, result RetryResult, err error) {
	tracing.End(span, err, func() []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String("mkio.outcome", result.Outcome)}
	})
}
