package publish

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/streams"
	"mkio-bridge/internal/tracing"
)

// What spans tell. Names of resources stay out of them, and what MK.IO said of a resource: the event's id leads there.

// endObserve tells what became of an observation.
func endObserve(span trace.Span, o lifecycle.Observation, verdict lifecycle.Verdict, err error) {
	tracing.End(span, err, func() []attribute.KeyValue {
		told := []attribute.KeyValue{
			attribute.String("mkio.kind", string(o.Key.Kind)),
			attribute.String("mkio.project", o.Key.Project),
			attribute.String("mkio.via", string(o.Via)),
		}
		if err == nil {
			told = append(told, attribute.String("mkio.outcome", verdict.Outcome.String()), attribute.String("mkio.why", verdict.Why))
		}
		return told
	})
}

// endPublish tells which event was written, by its id. That somebody else was first is an answer, and no error.
func endPublish(span trace.Span, stream, id string, o lifecycle.Observation, stored head, err error) {
	conflict := streams.Conflicted(err)
	if conflict {
		err = nil
	}
	tracing.End(span, err, func() []attribute.KeyValue {
		told := append(messaging(stream), attribute.Bool("mkio.conflict", conflict))
		if stored.fact != nil {
			told = append(told,
				attribute.String("messaging.message.id", id),
				attribute.String("cloudevents.event_id", id),
				attribute.String("cloudevents.event_type", event.TypeOf(o.Key.Kind, o.Discovered && stored.fact.Transition == 1)))
		}
		return told
	})
}

// endKeep tells why a delivery is unapplied.
func endKeep(span trace.Span, stream string, u lifecycle.Unapplied, err error) {
	tracing.End(span, err, func() []attribute.KeyValue {
		return append(messaging(stream), attribute.String("mkio.reason", string(u.Reason)))
	})
}

// messaging is what OpenTelemetry wants to be told of a message. The stream stands for its subjects, which are as many as
// there are resources.
func messaging(stream string) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("messaging.system", "nats"),
		attribute.String("messaging.operation.type", "send"),
		attribute.String("messaging.operation.name", "publish"),
		attribute.String("messaging.destination.name", stream),
	}
}
