package tracing

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

// All exports share one connection. One over HTTP/2 that went silent is given up after these times.
const (
	pingAfter = 10 * time.Second // without a frame from the collector
	pingTime  = 5 * time.Second  // for the response to a ping, and for writing each part of a request
)

// An export that failed is tried again after these pauses, for as long as one export may take.
const (
	firstPause   = 500 * time.Millisecond
	longestPause = 30 * time.Second
)

// newExporter returns OpenTelemetry's exporter for the protocol. It connects with its first export.
func newExporter(ctx context.Context, s *settings) (*otlptrace.Exporter, error) {
	if !s.grpc {
		return otlptracehttp.New(ctx,
			otlptracehttp.WithHTTPClient(newHTTPClient(s)),
			otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: firstPause, MaxInterval: longestPause, MaxElapsedTime: s.timeout}))
	}
	options := []otlptracegrpc.Option{
		otlptracegrpc.WithTimeout(s.timeout),
		otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{Enabled: true, InitialInterval: firstPause, MaxInterval: longestPause, MaxElapsedTime: s.timeout}),
		otlptracegrpc.WithDialOption(grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: pingTime})),
	}
	if s.tls != nil {
		options = append(options, otlptracegrpc.WithTLSCredentials(credentials.NewTLS(s.tls)))
	}
	return otlptracegrpc.New(ctx, options...)
}

// newHTTPClient follows no redirects, because the headers are for one host.
func newHTTPClient(s *settings) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = s.tls
	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTime, WriteByteTimeout: pingTime}
	return &http.Client{
		Transport:     retryableTransport{transport},
		Timeout:       s.timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// A retryableTransport has the exporter retry after each error of the network: a collector that restarts refuses
// connections, which the exporter takes for a permanent error.
type retryableTransport struct{ *http.Transport }

func (t retryableTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.Transport.RoundTrip(r)
	if err != nil {
		return nil, temporaryError{err}
	}
	return response, nil
}

type temporaryError struct{ error }

func (temporaryError) Temporary() bool { return true }

func (e temporaryError) Unwrap() error { return e.error }
