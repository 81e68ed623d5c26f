package tracing_test

import (
	"net/http"
	"strings"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"

	"mkio-bridge/internal/tracing"
)

const (
	parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	trace  = "4bf92f3577b34da6a3ce929d0e0e4736"
)

func header(parents, states []string) http.Header {
	h := http.Header{}
	for _, p := range parents {
		h.Add("traceparent", p)
	}
	for _, s := range states {
		h.Add("tracestate", s)
	}
	return h
}

// recordingTracer returns a tracer whose spans are not exported.
func recordingTracer() tracing.Tracer { return tracing.New(sdk.NewTracerProvider()) }

func TestReceiveContinuesTheNamedTrace(t *testing.T) {
	h := header([]string{parent}, []string{"rojo=1", "congo=t61"})
	want := tracing.Context{Parent: parent, State: "rojo=1,congo=t61"}

	ctx, span := tracing.Tracer{}.Receive(t.Context(), "delivery", h)
	span.End()
	if here, origin := tracing.Current(ctx), tracing.Origin(ctx); here != want || origin != want {
		t.Errorf("without spans: here %v, origin %v, want both %v", here, origin, want)
	}

	ctx, span = recordingTracer().Receive(t.Context(), "delivery", h)
	defer span.End()
	here, origin := tracing.Current(ctx), tracing.Origin(ctx)
	if origin != want {
		t.Errorf("origin %v, want %v", origin, want)
	}
	if here.State != want.State || here.Parent == parent || !strings.Contains(here.Parent, trace) {
		t.Errorf("current span %v, want a new span in %v", here, want)
	}
}

func TestReceiveAndRootBeginATrace(t *testing.T) {
	for name, begin := range map[string]func() (here, origin tracing.Context){
		"delivery": func() (here, origin tracing.Context) {
			ctx, span := recordingTracer().Receive(t.Context(), "delivery", nil)
			defer span.End()
			return tracing.Current(ctx), tracing.Origin(ctx)
		},
		"poll": func() (here, origin tracing.Context) {
			ctx, span := recordingTracer().Root(t.Context(), "poll")
			defer span.End()
			return tracing.Current(ctx), tracing.Origin(ctx)
		},
	} {
		if here, origin := begin(); here.Parent == "" || here != origin {
			t.Errorf("%s: here %v, origin %v", name, here, origin)
		}
	}
	ctx, _ := tracing.Tracer{}.Root(t.Context(), "poll")
	if here, origin := tracing.Current(ctx), tracing.Origin(ctx); here != origin || here != (tracing.Context{}) {
		t.Errorf("without spans: here %v, origin %v", here, origin)
	}
}

func TestChildSpansKeepTheOrigin(t *testing.T) {
	tracer := recordingTracer()
	ctx, first := tracer.Root(t.Context(), "poll")
	defer first.End()
	origin := tracing.Origin(ctx)
	ctx, second := tracer.Start(ctx, "observe")
	defer second.End()
	ctx, third := tracer.Produce(ctx, "publish")
	defer third.End()
	if tracing.Origin(ctx) != origin {
		t.Errorf("origin %v, want %v", tracing.Origin(ctx), origin)
	}
	if id := third.SpanContext().SpanID().String(); !strings.Contains(tracing.Current(ctx).Parent, id) {
		t.Errorf("here is %v, want the span %s", tracing.Current(ctx), id)
	}
}

func TestInvalidTraceHeadersAreIgnored(t *testing.T) {
	many := strings.Repeat("a=b,", 200)
	for _, parents := range [][]string{
		nil,
		{""},
		{"x"},
		{parent, parent},
		{strings.ToUpper(parent)},
		{parent + "-more"},
		{" " + parent},
		{"ff" + parent[2:]},
		{strings.Replace(parent, trace, strings.Repeat("0", 32), 1)},
		{strings.Replace(parent, "00f067aa0ba902b7", strings.Repeat("0", 16), 1)},
		{parent[:len(parent)-1] + "\n"},
		{strings.Repeat(parent, 1000)},
	} {
		ctx, _ := tracing.Tracer{}.Receive(t.Context(), "delivery", header(parents, []string{"a=b"}))
		if here := tracing.Current(ctx); here != (tracing.Context{}) {
			t.Errorf("%q is %v", parents, here)
		}
	}
	for _, states := range [][]string{
		{"no member"},
		{"a=b", "a=c"},
		{"a=wörd"},
		{"A=b"},
		{"a=x\ny"},
		{many},
		{"long=" + strings.Repeat("x", 250), "longer=" + strings.Repeat("x", 250), "more=1"},
	} {
		ctx, _ := tracing.Tracer{}.Receive(t.Context(), "delivery", header([]string{parent}, states))
		if here := tracing.Current(ctx); here != (tracing.Context{Parent: parent}) {
			t.Errorf("%q is %v", states, here)
		}
	}
}

// A traceparent of a later version is read as version 00, and passed on as that.
func TestLaterVersionIsWrittenAsVersion00(t *testing.T) {
	ctx, _ := tracing.Tracer{}.Receive(t.Context(), "delivery", header([]string{"01" + parent[2:] + "-more"}, nil))
	if here := tracing.Current(ctx); here != (tracing.Context{Parent: parent}) {
		t.Errorf("here %v", here)
	}
}

func TestZeroTracerDoesNotAllocate(t *testing.T) {
	ctx := t.Context()
	allocations := testing.AllocsPerRun(100, func() {
		ctx, received := tracing.Tracer{}.Receive(ctx, "delivery", nil)
		ctx, observed := tracing.Tracer{}.Start(ctx, "observe")
		ctx, published := tracing.Tracer{}.Produce(ctx, "publish")
		if tracing.Current(ctx) != tracing.Origin(ctx) {
			t.Error("zero tracer has a trace")
		}
		tracing.End(published, nil, nil)
		tracing.End(observed, nil, nil)
		tracing.End(received, nil, nil)
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func FuzzReceive(f *testing.F) {
	f.Add(parent, "rojo=1,congo=t61")
	f.Add("cc"+parent[2:]+"-what", "a= b, c=d\t,")
	f.Fuzz(func(t *testing.T, p, s string) {
		ctx, _ := tracing.Tracer{}.Receive(t.Context(), "delivery", http.Header{"Traceparent": {p}, "Tracestate": {s}})
		here := tracing.Current(ctx)
		if here.Parent == "" {
			if here.State != "" {
				t.Errorf("a state %q without a parent", here.State)
			}
			return
		}
		if len(here.Parent) != len(parent) || strings.Trim(here.Parent, "0123456789abcdef-") != "" {
			t.Errorf("parent %q", here.Parent)
		}
		if len(here.State) > 512 || strings.ContainsFunc(here.State, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("state %q", here.State)
		}
		if here.State != "" && strings.TrimSpace(here.State) != here.State {
			t.Errorf("a header parser would trim %q", here.State)
		}
	})
}
