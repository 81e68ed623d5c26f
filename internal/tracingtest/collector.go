// Package tracingtest helps to test traces: collector.go is an OpenTelemetry collector, message.go reads the trace context
// of an event's message.
package tracingtest

import (
	"cmp"
	"context"
	"encoding/hex"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// A Collector receives spans by OTLP over HTTP, and over gRPC once [Collector.ServeGRPC] was called.
type Collector struct {
	*httptest.Server
	t testing.TB

	mu       sync.Mutex
	spans    []*tracepb.Span
	resource map[string]string
	key      string
}

// NewCollector starts a collector that ends with the test.
func NewCollector(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{t: t, resource: map[string]string{}}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *Collector) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var sent coltracepb.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &sent)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		c.t.Errorf("%s: %v", r.URL, err)
	}
	c.take(&sent, r.Header.Get("X-Key"))
}

// take adds the spans of an export.
func (c *Collector) take(sent *coltracepb.ExportTraceServiceRequest, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.key = key
	for _, resource := range sent.ResourceSpans {
		maps.Copy(c.resource, attributesOf(resource.Resource.Attributes))
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
}

// ServeGRPC also receives spans over gRPC until the test ends, and returns the endpoint for it.
func (c *Collector) ServeGRPC() (endpoint string) {
	c.t.Helper()
	l, err := (&net.ListenConfig{}).Listen(c.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	server := grpc.NewServer()
	coltracepb.RegisterTraceServiceServer(server, grpcService{collector: c})
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	c.t.Cleanup(func() { server.Stop(); serving.Wait() })
	return "http://" + l.Addr().String()
}

type grpcService struct {
	coltracepb.UnimplementedTraceServiceServer
	collector *Collector
}

func (s grpcService) Export(ctx context.Context, sent *coltracepb.ExportTraceServiceRequest) (*coltracepb.ExportTraceServiceResponse, error) {
	key := metadata.ValueFromIncomingContext(ctx, "x-key")
	s.collector.take(sent, strings.Join(key, ","))
	return &coltracepb.ExportTraceServiceResponse{}, nil
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

// Spans returns all received spans.
func (c *Collector) Spans() []*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// SpansNamed returns the received spans of a name, oldest first.
func (c *Collector) SpansNamed(name string) []*tracepb.Span {
	found := slices.DeleteFunc(c.Spans(), func(s *tracepb.Span) bool { return s.Name != name })
	slices.SortFunc(found, func(a, b *tracepb.Span) int { return cmp.Compare(a.StartTimeUnixNano, b.StartTimeUnixNano) })
	return found
}

// Sender returns the resource attributes of the received spans, and the header X-Key of the last request.
func (c *Collector) Sender() (resource map[string]string, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.resource), c.key
}

// TraceParent returns the traceparent header that names a span.
func TraceParent(s *tracepb.Span) string {
	return "00-" + hex.EncodeToString(s.TraceId) + "-" + hex.EncodeToString(s.SpanId) + "-01"
}

// CheckParent checks that a span is a child of another.
func CheckParent(t testing.TB, child, parent *tracepb.Span) {
	t.Helper()
	if string(child.TraceId) != string(parent.TraceId) || string(child.ParentSpanId) != string(parent.SpanId) {
		t.Errorf("%s is not a child of %s: %v, %v", child.Name, parent.Name, child, parent)
	}
}

// CheckAttributes checks some attributes of a span.
func CheckAttributes(t testing.TB, s *tracepb.Span, want map[string]string) {
	t.Helper()
	got := attributesOf(s.Attributes)
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s: %s is %q, want %q", s.Name, name, got[name], value)
		}
	}
}
