//go:build e2e

package e2e

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/tracingtest"
)

// The trace context of a delivery's sender.
const (
	sentTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	sentSpan   = "00f067aa0ba902b7"
	sentParent = "00-" + sentTrace + "-" + sentSpan + "-01"
	sentState  = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"
)

// A bridge exports the spans of a delivery within the sender's trace, and logs the collector's address without its headers.
func TestTraceCoversDeliveryToEvent(t *testing.T) {
	c := tracingtest.NewCollector(t)
	p := bridgetest.StartBridge(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL, "OTEL_EXPORTER_OTLP_HEADERS=X-Key=s3cret",
		"OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test")
	mustDeliver(t, p, bridgetest.Delivery(t, "job-started.json"), "traceparent", sentParent, "tracestate", sentState)
	is := tracingtest.TracedAt(t, jetStream(t, p), 1)
	p.StopGracefully() // exports the remaining spans
	if log := p.Log.String(); !strings.Contains(log, c.URL) || strings.Contains(log, "s3cret") {
		t.Errorf("the bridge logged: %s", log)
	}
	if resource, key := c.Sender(); key != "s3cret" || resource["service.name"] != "mkio-bridge" || resource["deployment.environment.name"] != "test" || resource["service.version"] == "" {
		t.Errorf("sent with key %q, by %v", key, resource)
	}
	if spans := c.Spans(); len(spans) != 3 {
		t.Fatalf("spans: %v", spans)
	}
	request, observe, publish := c.SpansNamed("POST " + webhookPath)[0], c.SpansNamed("observe")[0], c.SpansNamed("publish")[0]
	if hex.EncodeToString(request.TraceId) != sentTrace || hex.EncodeToString(request.ParentSpanId) != sentSpan {
		t.Errorf("the request is not in the sender's trace: %v", request)
	}
	tracingtest.CheckParent(t, observe, request)
	tracingtest.CheckParent(t, publish, observe)
	if want := (tracingtest.Traced{Origin: sentParent, OriginState: sentState, Parent: tracingtest.TraceParent(publish), State: sentState}); is != want {
		t.Errorf("the message has %v, want %v", is, want)
	}
	tracingtest.CheckAttributes(t, request, map[string]string{"http.request.method": "POST", "http.response.status_code": "204", "mkio.outcome": "stored"})
	tracingtest.CheckAttributes(t, observe, map[string]string{"mkio.kind": "job", "mkio.project": "aurora-vod", "mkio.via": "webhook", "mkio.outcome": "changed"})
	tracingtest.CheckAttributes(t, publish, map[string]string{"messaging.system": "nats", "messaging.destination.name": "MKIO_EVENTS", "cloudevents.event_type": "mkio.job.state.changed"})
	if request.Kind != tracepb.Span_SPAN_KIND_SERVER || publish.Kind != tracepb.Span_SPAN_KIND_PRODUCER {
		t.Errorf("the spans are %s and %s", request.Kind, publish.Kind)
	}
}

func TestTracesAreExportedOverGRPC(t *testing.T) {
	c := tracingtest.NewCollector(t)
	p := bridgetest.StartBridge(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.ServeGRPC(), "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_HEADERS=X-Key=s3cret")
	mustDeliver(t, p, bridgetest.Delivery(t, "job-started.json"), "traceparent", sentParent)
	p.StopGracefully()
	if _, key := c.Sender(); key != "s3cret" || len(c.Spans()) != 3 {
		t.Errorf("sent with key %q: %v", key, c.Spans())
	}
	tracingtest.CheckParent(t, c.SpansNamed("observe")[0], c.SpansNamed("POST " + webhookPath)[0])
}

// Without a collector nothing is exported, but the sender's trace context still reaches the readers.
func TestTraceContextPropagatesWithoutCollector(t *testing.T) {
	c := tracingtest.NewCollector(t)
	for name, environment := range map[string]string{
		"none":     "OTEL_SERVICE_NAME=bridge",
		"switched": "OTEL_SDK_DISABLED=true",
	} {
		t.Run(name, func(t *testing.T) {
			env := []string{environment}
			if name == "switched" {
				env = append(env, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL)
			}
			p := bridgetest.StartBridge(t, env...)
			for _, headers := range [][]string{{"traceparent", sentParent, "tracestate", sentState}, {"traceparent", "00-x"}, nil} {
				mustDeliver(t, p, jobStarted(t, fmt.Sprint("ep-", len(headers))), headers...)
			}
			js := jetStream(t, p)
			for i, want := range []tracingtest.Traced{{Origin: sentParent, OriginState: sentState, Parent: sentParent, State: sentState}, {}, {}} {
				if is := tracingtest.TracedAt(t, js, uint64(i+1)); is != want {
					t.Errorf("message %d has %v, want %v", i+1, is, want)
				}
			}
			p.StopGracefully()
		})
	}
	if spans := c.Spans(); len(spans) > 0 {
		t.Errorf("exported: %v", spans)
	}
}

// A collector that accepts a request and never responds delays neither deliveries nor shutdown. The span queue is small
// here, and the export timeouts are longer than the test.
func TestHangingCollectorDelaysNothing(t *testing.T) {
	requested, ends := make(chan struct{}, 1000), make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requested <- struct{}{}; <-ends }))
	defer hanging.Close()
	defer close(ends)
	const ever = "=3600000"
	p := bridgetest.StartBridge(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+hanging.URL,
		"OTEL_EXPORTER_OTLP_TIMEOUT"+ever, "OTEL_BSP_EXPORT_TIMEOUT"+ever, "OTEL_BSP_MAX_QUEUE_SIZE=4", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=1")
	deliver := func(from, to int) {
		for i := from; i < to; i++ {
			if status := p.Deliver(jobStarted(t, fmt.Sprint("ep-", i))); status != http.StatusNoContent {
				t.Errorf("status %d", status)
			}
		}
	}
	deliver(0, 1)
	<-requested
	deliver(1, 20)
	p.StopGracefully()
}

// Failed exports are logged at a limited rate, not once per span.
func TestUnreachableCollectorIsLoggedAtLimitedRate(t *testing.T) {
	unreachable := tracingtest.NewCollector(t)
	unreachable.Close()
	p := bridgetest.StartBridge(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+unreachable.URL,
		"OTEL_EXPORTER_OTLP_TIMEOUT=100", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=1")
	for i := range 50 {
		if status := p.Deliver(jobStarted(t, fmt.Sprint("ep-", i))); status != http.StatusNoContent {
			t.Errorf("status %d", status)
		}
	}
	p.StopGracefully()
	if lines := strings.Count(p.Log.String(), "traces may be missing"); lines == 0 || lines > 10 {
		t.Errorf("%d lines about missing traces", lines)
	}
}

// A platform may set OTEL_* variables for all its workloads: a bridge that cannot use them runs without traces.
func TestInvalidTracingSettingsDisableTracing(t *testing.T) {
	p := bridgetest.StartBridge(t, "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL=thrift")
	if status := p.Deliver(bridgetest.Delivery(t, "job-started.json")); status != http.StatusNoContent {
		t.Errorf("status %d", status)
	}
	p.StopGracefully()
	if log := p.Log.String(); strings.Count(log, "OTEL_EXPORTER_OTLP_PROTOCOL") != 1 || !strings.Contains(log, `"traces":"off"`) {
		t.Errorf("the bridge logged: %s", log)
	}
}

func TestCollectorIsReachedThroughProxy(t *testing.T) {
	c := tracingtest.NewCollector(t) // stands in for the proxy
	p := bridgetest.StartBridge(t, "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector.invalid:4318", "HTTP_PROXY="+c.URL)
	if status := p.Deliver(bridgetest.Delivery(t, "job-started.json")); status != http.StatusNoContent {
		t.Errorf("status %d", status)
	}
	p.StopGracefully()
	if len(c.SpansNamed("publish")) != 1 {
		t.Errorf("exported: %v", c.Spans())
	}
}
