package tracing

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// A request is an export as a collector received it, with its headers by their lower-case names.
type request struct {
	path, proto string
	headers     map[string]string
	spans       []string // names
}

// A collector receives exports by one of the protocols.
type collector struct {
	t        *testing.T
	endpoint string // for OTEL_EXPORTER_OTLP_ENDPOINT
	protocol string // for OTEL_EXPORTER_OTLP_PROTOCOL

	mu       sync.Mutex
	received []request
}

func (c *collector) requests() []request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.received
}

func (c *collector) note(r request, sent *coltracepb.ExportTraceServiceRequest) (number int) {
	for _, resource := range sent.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				r.spans = append(r.spans, span.Name)
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received = append(c.received, r)
	return len(c.received)
}

// startHTTP starts a collector of protobuf over HTTP. respond, which may be nil, writes the response to the request with
// that number, from 1.
func startHTTP(t *testing.T, config *tls.Config, answer func(number int, w http.ResponseWriter)) *collector {
	t.Helper()
	c := &collector{t: t, protocol: "http/protobuf"}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		is := request{path: r.URL.RequestURI(), proto: r.Proto, headers: map[string]string{}}
		for name := range r.Header {
			is.headers[http.CanonicalHeaderKey(name)] = r.Header.Get(name)
		}
		number := c.note(is, decode(t, r))
		if answer != nil {
			answer(number, w)
		}
	}))
	t.Cleanup(server.Close)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if config == nil {
		server.Start()
	} else {
		server.TLS, server.EnableHTTP2 = config, true
		server.StartTLS()
	}
	c.endpoint = server.URL
	return c
}

func decode(t *testing.T, r *http.Request) *coltracepb.ExportTraceServiceRequest {
	t.Helper()
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return nil
		}
		body = unzipped
	}
	content, err := io.ReadAll(body)
	if err != nil {
		t.Error(err)
	}
	var sent coltracepb.ExportTraceServiceRequest
	if err := proto.Unmarshal(content, &sent); err != nil || r.Header.Get("Content-Type") != "application/x-protobuf" {
		t.Errorf("%s: %v", r.Header.Get("Content-Type"), err)
	}
	return &sent
}

// A grpcService is OTLP's service for traces.
type grpcService struct {
	coltracepb.UnimplementedTraceServiceServer
	*collector
	answer func(ctx context.Context, number int) (*coltracepb.ExportTraceServiceResponse, error)
}

func (s *grpcService) Export(ctx context.Context, sent *coltracepb.ExportTraceServiceRequest) (*coltracepb.ExportTraceServiceResponse, error) {
	is := request{headers: map[string]string{}}
	incoming, _ := metadata.FromIncomingContext(ctx)
	for name, values := range incoming {
		is.headers[http.CanonicalHeaderKey(name)] = values[0]
	}
	number := s.note(is, sent)
	if s.answer == nil {
		return &coltracepb.ExportTraceServiceResponse{}, nil
	}
	return s.answer(ctx, number)
}

// startGRPC starts a collector over gRPC; respond is as in startHTTP.
func startGRPC(t *testing.T, config *tls.Config, answer func(ctx context.Context, number int) (*coltracepb.ExportTraceServiceResponse, error)) *collector {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{t: t, protocol: "grpc", endpoint: "http://" + l.Addr().String()}
	var options []grpc.ServerOption
	if config != nil {
		c.endpoint = "https://" + l.Addr().String()
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	server := grpc.NewServer(options...)
	coltracepb.RegisterTraceServiceServer(server, &grpcService{collector: c, answer: answer})
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() { server.Stop(); serving.Wait() })
	return c
}
