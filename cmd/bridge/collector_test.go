package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"mkio-bridge/internal/tracing"
)

// A collector takes spans as OTLP over HTTP.
type collector struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	spans    []*tracepb.Span
	resource map[string]string
	key      string // that it was sent
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{t: t, resource: map[string]string{}}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *collector) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var told tracepb.TracesData
	if err == nil {
		err = proto.Unmarshal(body, &told)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		c.t.Errorf("%s: %v", r.URL, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.key = r.Header.Get("X-Key")
	for _, resource := range told.ResourceSpans {
		maps.Copy(c.resource, attributesOf(resource.Resource.Attributes))
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
}

func attributesOf(all []*commonpb.KeyValue) map[string]string {
	found := map[string]string{}
	for _, a := range all {
		switch v := a.Value.Value.(type) {
		case *commonpb.AnyValue_StringValue:
			found[a.Key] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			found[a.Key] = fmt.Sprint(v.IntValue)
		case *commonpb.AnyValue_BoolValue:
			found[a.Key] = fmt.Sprint(v.BoolValue)
		}
	}
	return found
}

// named returns the spans of a name, oldest first.
func (c *collector) named(name string) (found []*tracepb.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.Name == name {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b *tracepb.Span) int { return int(a.StartTimeUnixNano) - int(b.StartTimeUnixNano) })
	return found
}

// parentOf is a span as traceparent has it.
func parentOf(s *tracepb.Span) string {
	return "00-" + hex.EncodeToString(s.TraceId) + "-" + hex.EncodeToString(s.SpanId) + "-01"
}

// below checks that a span is a child of another.
func below(t *testing.T, child, parent *tracepb.Span) {
	t.Helper()
	if string(child.TraceId) != string(parent.TraceId) || string(child.ParentSpanId) != string(parent.SpanId) {
		t.Errorf("%s is not below %s: %v, %v", child.Name, parent.Name, child, parent)
	}
}

// holdsAttributes checks what a span tells.
func holdsAttributes(t *testing.T, s *tracepb.Span, want map[string]string) {
	t.Helper()
	is := attributesOf(s.Attributes)
	for name, value := range want {
		if is[name] != value {
			t.Errorf("%s: %s is %q, want %q", s.Name, name, is[name], value)
		}
	}
}

// exportHere has bridges of this process export.
func exportHere(t *testing.T, c *collector) *tracing.Export {
	t.Helper()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	traces := tracing.FromEnvironment(t.Context(), "1.2.3", slog.New(slog.DiscardHandler))
	t.Cleanup(traces.Close)
	return traces
}
