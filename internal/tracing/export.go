package tracing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// The variables that say whether there is a collector, and where. Those for all signals come second. The rest of
// OTEL_… is read by OpenTelemetry itself.
const (
	envTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	envEndpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	envTracesProtocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
	envProtocol       = "OTEL_EXPORTER_OTLP_PROTOCOL"
	envExporter       = "OTEL_TRACES_EXPORTER"
	envDisabled       = "OTEL_SDK_DISABLED"
)

// An Export sends spans to a collector, some seconds after they end. What does not fit into its queue is dropped: nobody
// waits for a collector.
type Export struct {
	to       string
	log      *slog.Logger
	exporter *otlptrace.Exporter
	provider *sdk.TracerProvider
}

// FromEnvironment begins to export where the environment names a collector; nil where it does not. The way in which
// OpenTelemetry reports its troubles is one for the whole process, and goes to log from here on.
func FromEnvironment(ctx context.Context, version string, log *slog.Logger) (*Export, error) {
	name, endpoint, err := endpoint()
	if err != nil || endpoint == nil {
		return nil, err
	}
	if p := cmp.Or(os.Getenv(envTracesProtocol), os.Getenv(envProtocol)); p == "grpc" {
		return nil, fmt.Errorf("%s: traces are exported over http/protobuf alone, and not over grpc: unset it, and name the collector's port for HTTP, 4318 as a rule, in %s", envProtocol, name)
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
	exporter, err := otlptracehttp.New(ctx) // which asks nobody yet
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &Export{
		to:       endpoint.Scheme + "://" + endpoint.Host,
		log:      log,
		exporter: exporter,
		provider: sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(described)),
	}, nil
}

// endpoint is the address of the collector, and the variable that names it; nil where there is none.
func endpoint() (name string, address *url.URL, err error) {
	if strings.EqualFold(os.Getenv(envDisabled), "true") || strings.EqualFold(os.Getenv(envExporter), "none") {
		return "", nil, nil
	}
	for _, name := range []string{envTracesEndpoint, envEndpoint} {
		value := strings.TrimSpace(os.Getenv(name))
		if value == "" {
			continue
		}
		u, err := url.Parse(value)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" { // the value may hold a password
			return name, nil, fmt.Errorf("%s: it must be an http or https address, e.g. http://collector:4318", name)
		}
		return name, u, nil
	}
	return "", nil, nil
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
	err := e.provider.Shutdown(ctx)
	if ctx.Err() != nil {
		err = errors.Join(err, e.exporter.Shutdown(ctx)) // or the request under way would go on
	}
	if err != nil {
		e.log.Warn("the last traces were not exported", "to", e.to)
	}
}
