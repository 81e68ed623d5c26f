package publish

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/streams"
	"mkio-bridge/internal/tracing"
)

// Attributes of spans. They contain no resource names and no content from MK.IO: the event's id leads to those.

// endObserve ends the span of an observation, with its outcome.
func endObserve(span trace.Span, o lifecycle.Observation, verdict lifecycle.Verdict, err error) {
	tracing.End(span, err, func() []attribute.KeyValue {
		attributes := []attribute.KeyValue{
			attribute.String("mkio.kind", string(o.Key.Kind)),
			attribute.String("mkio.project", o.Key.Project),
			attribute.String("mkio.via", string(o.Via)),
		}
		if err == nil {
			attributes = append(attributes, attribute.String("mkio.outcome", verdict.Outcome.String()), attribute.String("mkio.why", verdict.Why))
		}
		return attributes
	})
}

// endPublish ends the span of a write, with the event's id. A conflict is an expected result, and no error.
func endPublish(span trace.Span, stream, id string, o lifecycle.Observation, stored head, err error) {
	conflict := streams.Conflicted(err)
	if conflict {
		err = nil
	}
	tracing.End(span, err, func() []attribute.KeyValue {
		attributes := append(messaging(stream), attribute.Bool("mkio.conflict", conflict))
		if stored.fact != nil {
			attributes = append(attributes,
				attribute.String("messaging.message.id", id),
				attribute.String("cloudevents.event_id", id),
				attribute.String("cloudevents.event_type", event.TypeOf(o.Key.Kind, o.Discovered && stored.fact.Transition == 1)))
		}
		return attributes
	})
}

// endStoreUnapplied ends the span of an unapplied delivery, with its reason.
func endStoreUnapplied(span trace.Span, stream string, u lifecycle.Unapplied, err error) {
	tracing.End(span, err, func() []attribute.KeyValue {
		return append(messaging(stream), attribute.String("mkio.reason", string(u.Reason)))
	})
}

// messaging returns OpenTelemetry's attributes of a published message. The destination is the stream, because there are as
// many subjects as resources.
func messaging(stream string) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("messaging.system", "nats"),
		attribute.String("messaging.operation.type", "send"),
		attribute.String("messaging.operation.name", "publish"),
		attribute.String("messaging.destination.name", stream),
	}
}
