package tracing

import (
	"context"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// An Export sends spans to a collector, some seconds after they end. It drops spans that exceed its queue, so that a slow
// collector never delays the bridge.
type Export struct {
	endpoint string
	log      *slog.Logger
	exporter *otlptrace.Exporter
	provider *sdk.TracerProvider
}

// FromEnvironment starts an export if OTEL_… variables configure a collector; else it returns nil. Platforms set such
// variables everywhere, so an invalid one logs a warning and turns off traces only. OpenTelemetry's error handler is global
// to the process, and logs to log from now on.
func FromEnvironment(ctx context.Context, version string, log *slog.Logger) *Export {
	const off = "traces are off: invalid setting"
	s, invalid := readSettings(log)
	if invalid != nil {
		log.Warn(off, invalid.attributes()...)
		return nil
	}
	if s == nil {
		return nil
	}
	reporter := newReporter(log)
	otel.SetLogger(logr.New(reporter))
	otel.SetErrorHandler(reporter)
	exporter, err := newExporter(ctx, s)
	if err != nil {
		log.Warn(off, "error", err)
		return nil
	}
	return &Export{
		endpoint: s.endpoint,
		log:      log,
		exporter: exporter,
		provider: sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(describe(ctx, version, log))),
	}
}

// describe returns the resource attributes of all spans; those of the environment override the others.
func describe(ctx context.Context, version string, log *slog.Logger) *resource.Resource {
	described, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "mkio-bridge"), attribute.String("service.version", version)),
		resource.WithHost(), resource.WithTelemetrySDK(),
		resource.WithFromEnv())
	if err != nil {
		log.Warn("trace resource attributes are incomplete", "error", err, "do", "write OTEL_RESOURCE_ATTRIBUTES like deployment.environment.name=test,team=media")
	}
	return described
}

// Tracer returns a tracer whose spans are exported.
func (e *Export) Tracer() Tracer {
	if e == nil {
		return Tracer{}
	}
	return New(e.provider)
}

// Endpoint returns the collector's address without credentials; "" without an export.
func (e *Export) Endpoint() string {
	if e == nil {
		return ""
	}
	return e.endpoint
}

// flushTimeout is how long a stopping bridge waits for its last spans.
const flushTimeout = 2 * time.Second

// Close exports the remaining spans, within flushTimeout.
func (e *Export) Close() {
	if e == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = e.exporter.Shutdown(ctx) })() // then each export fails at once
	err := e.provider.Shutdown(context.Background())
	if err != nil || ctx.Err() != nil {
		e.log.Warn("last traces were not exported", "to", e.endpoint)
	}
}
