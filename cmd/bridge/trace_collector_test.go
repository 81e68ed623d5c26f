package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// Without a collector nobody is told, and the sender's trace reaches the readers all the same.
func TestWithoutACollectorTheSendersTraceIsCarriedOn(t *testing.T) {
	c := newCollector(t)
	for name, environment := range map[string]string{
		"none":     "OTEL_SERVICE_NAME=bridge",
		"switched": "OTEL_SDK_DISABLED=true",
	} {
		t.Run(name, func(t *testing.T) {
			env := []string{"BRIDGE_STORE_DIR=" + filepath.Join(t.TempDir(), "store"), environment}
			if name == "switched" {
				env = append(env, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL)
			}
			p := startBridge(t, env...)
			for _, headers := range [][]string{{"traceparent", sentParent, "tracestate", sentState}, {"traceparent", "00-x"}, nil} {
				body := other(fixture(t, "job-started.json"), fmt.Sprint("ep-", len(headers)))
				if status := p.deliverWith(body, headers...); status != http.StatusNoContent {
					t.Fatalf("status %d", status)
				}
			}
			js := p.jetStream()
			for i, want := range []traced{{sentParent, sentState, sentParent, sentState}, {}, {}} {
				if is := tracedAt(t, js, uint64(i+1)); is != want {
					t.Errorf("message %d has %v, want %v", i+1, is, want)
				}
			}
			p.stop()
		})
	}
	if len(c.spans) > 0 {
		t.Errorf("exported: %v", c.spans)
	}
}

// A collector that takes a request and never answers holds up neither deliveries nor the stop. Its queue is small here, and
// nobody's patience ends before that of the test.
func TestACollectorThatHangsHoldsUpNothing(t *testing.T) {
	asked, ends := make(chan struct{}, 1000), make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{}; <-ends }))
	defer hanging.Close()
	defer close(ends)
	const ever = "=3600000"
	p := startBridge(t, "BRIDGE_STORE_DIR="+filepath.Join(t.TempDir(), "store"), "OTEL_EXPORTER_OTLP_ENDPOINT="+hanging.URL,
		"OTEL_EXPORTER_OTLP_TIMEOUT"+ever, "OTEL_BSP_EXPORT_TIMEOUT"+ever, "OTEL_BSP_MAX_QUEUE_SIZE=4", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=1")
	deliver := func(from, to int) {
		for i := from; i < to; i++ {
			if status := p.deliver(other(fixture(t, "job-started.json"), fmt.Sprint("ep-", i))); status != http.StatusNoContent {
				t.Errorf("status %d", status)
			}
		}
	}
	deliver(0, 1)
	<-asked
	deliver(1, 20)
	p.stop()
}

func TestACollectorThatIsAwayIsToldOfOnce(t *testing.T) {
	away := newCollector(t)
	away.Close()
	p := startBridge(t, "BRIDGE_STORE_DIR="+filepath.Join(t.TempDir(), "store"), "OTEL_EXPORTER_OTLP_ENDPOINT="+away.URL,
		"OTEL_EXPORTER_OTLP_TIMEOUT=100", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=1")
	for i := range 50 {
		if status := p.deliver(other(fixture(t, "job-started.json"), fmt.Sprint("ep-", i))); status != http.StatusNoContent {
			t.Errorf("status %d", status)
		}
	}
	p.stop()
	if told := strings.Count(strings.Join(p.said, "\n"), "traces may be missing"); told == 0 || told > 10 {
		t.Errorf("it was told of %d times", told)
	}
}

// Platforms name collectors of their own: one that cannot be used is no reason to be without events.
func TestABridgeRunsWithoutTracesWhereTheirSettingsCannotBeUsed(t *testing.T) {
	p := startBridge(t, "BRIDGE_STORE_DIR="+filepath.Join(t.TempDir(), "store"), "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc")
	if status := p.deliver(fixture(t, "job-started.json")); status != http.StatusNoContent {
		t.Errorf("status %d", status)
	}
	p.stop()
	said := strings.Join(p.said, "\n")
	if strings.Count(said, "OTEL_EXPORTER_OTLP_PROTOCOL") != 1 || !strings.Contains(said, `"traces":"off"`) {
		t.Errorf("the bridge said: %s", said)
	}
}

func TestACollectorIsReachedThroughAProxy(t *testing.T) {
	c := newCollector(t) // is asked as a proxy is
	p := startBridge(t, "BRIDGE_STORE_DIR="+filepath.Join(t.TempDir(), "store"), "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector.invalid:4318", "HTTP_PROXY="+c.URL)
	if status := p.deliver(fixture(t, "job-started.json")); status != http.StatusNoContent {
		t.Errorf("status %d", status)
	}
	p.stop()
	if len(c.named("publish")) != 1 {
		t.Errorf("exported: %v", c.spans)
	}
}
