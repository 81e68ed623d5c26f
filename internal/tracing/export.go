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

// An Export sends spans to a collector, some seconds after they end. What does not fit into its queue is dropped: nobody
// waits for a collector.
type Export struct {
	to       string
	log      *slog.Logger
	client   *client
	provider *sdk.TracerProvider
}

// FromEnvironment begins to export where the environment names a collector; nil where it does not. Platforms put such
// variables everywhere, so one that cannot be used is warned of, and ends traces alone. The way in which OpenTelemetry
// reports its troubles is one for the whole process, and goes to log from here on.
func FromEnvironment(ctx context.Context, version string, log *slog.Logger) *Export {
	s, wrong := fromEnvironment(log)
	if wrong != nil {
		log.Warn("traces are off, for a setting cannot be used; events are written all the same", wrong.attributes()...)
		return nil
	}
	if s == nil {
		return nil
	}
	told := newReporter(log)
	otel.SetLogger(logr.New(told))
	otel.SetErrorHandler(told)
	described, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "mkio-bridge"), attribute.String("service.version", version)),
		resource.WithHost(), resource.WithTelemetrySDK(),
		resource.WithFromEnv()) // the last one counts
	if err != nil {
		log.Warn("traces do not tell all of what they are from", "error", err, "do", "write OTEL_RESOURCE_ATTRIBUTES as in deployment.environment.name=test,team=media")
	}
	c := newClient(s, version)
	exporter, _ := otlptrace.New(ctx, c) // which begins nothing that could fail
	return &Export{
		to:       s.to,
		log:      log,
		client:   c,
		provider: sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(described)),
	}
}

// Tracer makes spans that are exported.
func (e *Export) Tracer() Tracer {
	if e == nil {
		return Tracer{}
	}
	return New(e.provider)
}

// To is where spans go, without credentials; empty where they go nowhere.
func (e *Export) To() string {
	if e == nil {
		return ""
	}
	return e.to
}

// flushTime is what the last spans are worth when the bridge stops.
const flushTime = 2 * time.Second

// Close exports what is left, if the collector takes it soon.
func (e *Export) Close() {
	if e == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	defer context.AfterFunc(ctx, e.client.end)() // after which each export fails at once
	err := e.provider.Shutdown(context.Background())
	if err != nil || ctx.Err() != nil {
		e.log.Warn("the last traces were not exported", "to", e.to)
	}
}
