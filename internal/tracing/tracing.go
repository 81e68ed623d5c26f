// Package tracing carries a trace through the bridge, from what told it of a change to the message that tells others.
//
// A trace begins with what saw the change: with the request of a delivery, in the trace that its header traceparent
// names or in a new one ([Tracer.Receive]), or with a look at MK.IO ([Tracer.Root]). The context carries it from there on,
// and two places of it go out with a message: where the trace began for the bridge ([Origin]), and the span that
// publishes ([Here]).
//
// A [Tracer] that is zero makes no spans and costs nothing. The trace that a delivery names is carried on all the same.
// [FromEnvironment] makes one that exports to a collector.
//
// What strangers send is not looked at: a header is read when its request was authenticated, and only as far as it
// is of the form that W3C Trace Context gives it.
package tracing

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// A Tracer makes spans. The zero Tracer makes none.
type Tracer struct{ spans trace.Tracer }

// New returns a tracer whose spans go to a provider.
func New(provider trace.TracerProvider) Tracer { return Tracer{provider.Tracer("mkio-bridge")} }

// Receive begins the span of a request, as a part of the trace that its headers name, or else of a new one.
func (t Tracer) Receive(ctx context.Context, name string, h http.Header) (context.Context, trace.Span) {
	ctx = extract(ctx, h)
	if trace.SpanContextFromContext(ctx).IsValid() {
		return t.start(withOrigin(ctx), name, serverSpan)
	}
	ctx, span := t.start(ctx, name, serverSpan)
	return withOrigin(ctx), span
}

// Root begins a new trace.
func (t Tracer) Root(ctx context.Context, name string) (context.Context, trace.Span) {
	ctx, span := t.start(ctx, name, newRoot)
	return withOrigin(ctx), span
}

// Start begins a span below the one of the context.
func (t Tracer) Start(ctx context.Context, name string) (context.Context, trace.Span) {
	return t.start(ctx, name, internalSpan)
}

// Produce begins the span of a message that is published.
func (t Tracer) Produce(ctx context.Context, name string) (context.Context, trace.Span) {
	return t.start(ctx, name, producerSpan)
}

var (
	newRoot      = trace.WithNewRoot()
	serverSpan   = trace.WithSpanKind(trace.SpanKindServer)
	internalSpan = trace.WithSpanKind(trace.SpanKindInternal)
	producerSpan = trace.WithSpanKind(trace.SpanKindProducer)
)

// noSpan takes nothing.
var noSpan = trace.SpanFromContext(context.Background())

func (t Tracer) start(ctx context.Context, name string, sort trace.SpanStartOption) (context.Context, trace.Span) {
	if t.spans == nil {
		return ctx, noSpan
	}
	return t.spans.Start(ctx, name, sort)
}

// End ends a span that may have failed. attributes is asked for only where somebody looks.
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
