package tracing

import (
	"context"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// A Context is a place in a trace as W3C Trace Context writes it. Both are empty where there is no trace.
type Context struct {
	Parent string // the value of traceparent
	State  string // of tracestate; empty where there is none
}

// Here is the span of a context: what follows from it is its child.
func Here(ctx context.Context) Context { return write(trace.SpanContextFromContext(ctx)) }

// Origin is where the trace of a context began for the bridge: the sender's span where a sender named one, else the
// bridge's own first.
func Origin(ctx context.Context) Context {
	origin, _ := ctx.Value(originKey{}).(trace.SpanContext)
	return write(origin)
}

type originKey struct{}

func withOrigin(ctx context.Context) context.Context {
	here := trace.SpanContextFromContext(ctx)
	if !here.IsValid() {
		return ctx
	}
	return context.WithValue(ctx, originKey{}, here)
}

// The names of W3C Trace Context. They are exactly so in NATS headers, which keep their case; HTTP's are spelt as
// net/http has them.
const (
	parentName   = "traceparent"
	stateName    = "tracestate"
	parentHeader = "Traceparent"
	stateHeader  = "Tracestate"
)

func write(place trace.SpanContext) Context {
	if !place.IsValid() {
		return Context{}
	}
	var c Context
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), place), &c)
	return c
}

// Set takes a field from the propagator.
func (c *Context) Set(name, value string) {
	switch name {
	case parentName:
		c.Parent = value
	case stateName:
		c.State = value
	}
}

// Get and Keys make it a carrier.
func (c *Context) Get(name string) string {
	return map[string]string{parentName: c.Parent, stateName: c.State}[name]
}

// Keys are the names of the fields.
func (*Context) Keys() []string { return []string{parentName, stateName} }

// extract reads the trace that a request's headers name. Whatever is not exactly one valid name is none.
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

// maxState is how long a tracestate may be, in bytes, to be carried on. Nobody has to carry more.
const maxState = 512
