package ingest

import (
	"errors"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"mkio-bridge/internal/tracing"
)

// endDelivery tells how a delivery was answered. What was wrong with it is for the log.
func endDelivery(span trace.Span, a answer) {
	var err error
	if a.status >= 500 {
		err = errors.New(a.detail)
	}
	tracing.End(span, err, func() []attribute.KeyValue {
		return []attribute.KeyValue{
			attribute.String("http.request.method", http.MethodPost),
			attribute.Int("http.response.status_code", a.status),
			attribute.String("mkio.outcome", outcomeOf(a.status)),
		}
	})
}

// outcomeOf says what an answer says, in a word.
func outcomeOf(status int) string {
	switch status {
	case http.StatusNoContent:
		return "told"
	case http.StatusAccepted:
		return "kept"
	case http.StatusBadRequest:
		return "malformed"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return "again"
	}
	return "refused"
}

// endRetry tells what became of a delivery that was put aside.
func endRetry(span trace.Span, became RetryResult, err error) {
	tracing.End(span, err, func() []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String("mkio.outcome", became.Outcome)}
	})
}
