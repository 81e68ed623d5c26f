package tracing

import (
	"context"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// A Context is a span as W3C Trace Context headers; zero without a trace.
type Context struct {
	Parent string // traceparent
	State  string // tracestate; may be empty
}

// Current returns the context's span.
func Current(ctx context.Context) Context { return contextOf(trace.SpanContextFromContext(ctx)) }

// Origin returns the span where the trace entered the bridge: the sender's span if the request named one, else the bridge's
// first span.
func Origin(ctx context.Context) Context {
	origin, _ := ctx.Value(originKey{}).(trace.SpanContext)
	return contextOf(origin)
}

type originKey struct{}

func withOrigin(ctx context.Context) context.Context {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return ctx
	}
	return context.WithValue(ctx, originKey{}, span)
}

// Names of W3C Trace Context: lower case in NATS headers, which keep their case, and as net/http spells them.
const (
	parentName   = "traceparent"
	stateName    = "tracestate"
	parentHeader = "Traceparent"
	stateHeader  = "Tracestate"
)

func contextOf(span trace.SpanContext) Context {
	if !span.IsValid() {
		return Context{}
	}
	var c Context
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), span), &c)
	return c
}

// Set implements propagation.TextMapCarrier.
func (c *Context) Set(name, value string) {
	switch name {
	case parentName:
		c.Parent = value
	case stateName:
		c.State = value
	}
}

// Get implements propagation.TextMapCarrier.
func (c *Context) Get(name string) string {
	return map[string]string{parentName: c.Parent, stateName: c.State}[name]
}

// Keys implements propagation.TextMapCarrier.
func (*Context) Keys() []string { return []string{parentName, stateName} }

// extract adds the trace of a request's headers to a context; none unless there is exactly one valid traceparent.
func extract(ctx context.Context, h http.Header) context.Context {
	parents := h[parentHeader]
	if len(parents) != 1 {
		return ctx
	}
	c := Context{Parent: parents[0], State: strings.Join(h[stateHeader], ",")}
	if len(c.State) > maxState {
		c.State = ""
	}
	return propagation.TraceContext{}.Extract(ctx, &c)
}

// maxState is the longest tracestate, in bytes, that is passed on; W3C requires no more.
const maxState = 512
