// Package tracing carries OpenTelemetry traces through the bridge, from the observation of a change to the NATS message of
// its event.
//
// A trace begins with the source of an observation: a delivery's request, in the trace of its traceparent header or in a new
// one ([Tracer.Receive]), or a poll of MK.IO ([Tracer.Root]). The context carries it from there. Two of its spans are
// published with an event: the one where the trace entered the bridge ([Origin], in the event) and the one that publishes
// ([Current], in the message's headers).
//
// The zero [Tracer] makes no spans and does not allocate; the trace of a delivery is still passed on. [FromEnvironment]
// returns an [Export] that sends spans to a collector by OTLP over HTTP (settings.go, export.go, client.go); report.go logs
// OpenTelemetry's errors, context.go converts to W3C Trace Context.
//
// Headers are read of authenticated requests only, and ignored unless they are valid W3C Trace Context.
package tracing

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// A Tracer starts spans. The zero Tracer starts none.
type Tracer struct{ spans trace.Tracer }

// New returns a tracer whose spans go to a provider.
func New(provider trace.TracerProvider) Tracer { return Tracer{provider.Tracer("mkio-bridge")} }

// Receive starts the span of a request, in the trace of its headers or in a new one.
func (t Tracer) Receive(ctx context.Context, name string, h http.Header) (context.Context, trace.Span) {
	ctx = extract(ctx, h)
	if trace.SpanContextFromContext(ctx).IsValid() {
		return t.start(withOrigin(ctx), name, serverSpan)
	}
	ctx, span := t.start(ctx, name, serverSpan)
	return withOrigin(ctx), span
}

// Root starts a new trace.
func (t Tracer) Root(ctx context.Context, name string) (context.Context, trace.Span) {
	ctx, span := t.start(ctx, name, newRoot)
	return withOrigin(ctx), span
}

// Start starts a child span of the context's span.
func (t Tracer) Start(ctx context.Context, name string) (context.Context, trace.Span) {
	return t.start(ctx, name, internalSpan)
}

// Produce starts the span of publishing a message.
func (t Tracer) Produce(ctx context.Context, name string) (context.Context, trace.Span) {
	return t.start(ctx, name, producerSpan)
}

var (
	newRoot      = trace.WithNewRoot()
	serverSpan   = trace.WithSpanKind(trace.SpanKindServer)
	internalSpan = trace.WithSpanKind(trace.SpanKindInternal)
	producerSpan = trace.WithSpanKind(trace.SpanKindProducer)
)

// noSpan records nothing.
var noSpan = trace.SpanFromContext(context.Background())

func (t Tracer) start(ctx context.Context, name string, option trace.SpanStartOption) (context.Context, trace.Span) {
	if t.spans == nil {
		return ctx, noSpan
	}
	return t.spans.Start(ctx, name, option)
}

// End ends a span; err is its error, or nil. attributes is called only if the span is recorded.
func End(span trace.Span, err error, attributes func() []attribute.KeyValue) {
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(attributes()...)
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}
