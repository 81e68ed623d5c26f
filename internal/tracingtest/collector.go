// Package tracingtest is what traces are sent to and looked up in, for tests: an OpenTelemetry collector, and the places of
// an event's message that name its trace.
package tracingtest

import (
	"cmp"
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A Collector takes spans as OTLP over HTTP.
type Collector struct {
	*httptest.Server
	t testing.TB

	mu       sync.Mutex
	spans    []*tracepb.Span
	resource map[string]string
	key      string
}

// NewCollector starts a collector, which ends with the test.
func NewCollector(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{t: t, resource: map[string]string{}}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *Collector) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var sent tracepb.TracesData
	if err == nil {
		err = proto.Unmarshal(body, &sent)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		c.t.Errorf("%s: %v", r.URL, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.key = r.Header.Get("X-Key")
	for _, resource := range sent.ResourceSpans {
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
			found[a.Key] = strconv.FormatInt(v.IntValue, 10)
		case *commonpb.AnyValue_BoolValue:
			found[a.Key] = strconv.FormatBool(v.BoolValue)
		}
	}
	return found
}

// Spans returns all spans that were sent.
func (c *Collector) Spans() []*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Named returns the spans of a name, the oldest first.
func (c *Collector) Named(name string) []*tracepb.Span {
	found := slices.DeleteFunc(c.Spans(), func(s *tracepb.Span) bool { return s.Name != name })
	slices.SortFunc(found, func(a, b *tracepb.Span) int { return cmp.Compare(a.StartTimeUnixNano, b.StartTimeUnixNano) })
	return found
}

// Sender returns the attributes of the resource that sent the spans, and the header X-Key of its last request.
func (c *Collector) Sender() (resource map[string]string, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.resource), c.key
}

// TraceParent is the value of the header traceparent that names a span.
func TraceParent(s *tracepb.Span) string {
	return "00-" + hex.EncodeToString(s.TraceId) + "-" + hex.EncodeToString(s.SpanId) + "-01"
}

// CheckParent checks that a span is a child of another.
func CheckParent(t testing.TB, child, parent *tracepb.Span) {
	t.Helper()
	if string(child.TraceId) != string(parent.TraceId) || string(child.ParentSpanId) != string(parent.SpanId) {
		t.Errorf("%s is no child of %s: %v, %v", child.Name, parent.Name, child, parent)
	}
}

// CheckAttributes checks some attributes of a span.
func CheckAttributes(t testing.TB, s *tracepb.Span, want map[string]string) {
	t.Helper()
	is := attributesOf(s.Attributes)
	for name, value := range want {
		if is[name] != value {
			t.Errorf("%s: %s is %q, want %q", s.Name, name, is[name], value)
		}
	}
}
