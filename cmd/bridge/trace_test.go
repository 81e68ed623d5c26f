package main

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/schematest"
	"mkio-bridge/internal/tracing"
	"mkio-bridge/internal/tracingtest"
)

// A trace of the sender.
const (
	sentTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	sentSpan   = "00f067aa0ba902b7"
	sentParent = "00-" + sentTrace + "-" + sentSpan + "-01"
)

// exportHere exports the traces of this process to a collector.
func exportHere(t *testing.T, c *tracingtest.Collector) *tracing.Export {
	t.Helper()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	traces := tracing.FromEnvironment(t.Context(), "1.2.3", slog.New(slog.DiscardHandler))
	t.Cleanup(traces.Close)
	return traces
}

func TestTracesOfEveryResponse(t *testing.T) {
	c := tracingtest.NewCollector(t)
	traces := exportHere(t, c)
	w := newCommandBridge(t, func(conf *config) { conf.tracer = traces.Tracer() })
	started, finished := bridgetest.Delivery(t, "job-started.json"), bridgetest.Delivery(t, "job-finished.finished.json")
	batch := fmt.Sprintf("[%s,%s]", started, finished)
	late := jobDelivery(t, "ep-0417", "Processing", func(d map[string]any) { d["id"], d["time"] = "before", "2031-03-04T09:00:00Z" })
	for _, tt := range []struct {
		body, parent string
		status       int
	}{
		{batch, "", 204},
		{string(started), sentParent, 204},
		{string(late), sentParent, 202},
		{"no JSON", sentParent + "x", 400},
	} {
		if status := deliverIn(t, w.bridge, []byte(tt.body), "traceparent", tt.parent); status != tt.status {
			t.Errorf("%.40s: status %d, want %d", tt.body, status, tt.status)
		}
	}
	if status := deliverIn(t, w.bridge, started, "X-Webhook-Secret", "guessed", "traceparent", sentParent); status != 401 {
		t.Errorf("a wrong secret: status %d", status)
	}
	first, second := tracingtest.TracedAt(t, w.js, 1), tracingtest.TracedAt(t, w.js, 2)
	retried := serveRequest(w.adminRoutes(true), http.MethodPost, "/v1/unapplied/1/retry", http.Header{"Traceparent": {sentParent}})
	if retried.Code != 200 {
		t.Errorf("retried: %s", retried.Body)
	}
	traces.Close()

	requests, observed, published, unapplied, retries := c.SpansNamed("POST "+webhookPath), c.SpansNamed("observe"), c.SpansNamed("publish"), c.SpansNamed("store unapplied"), c.SpansNamed("retry")
	if len(requests) != 4 || len(observed) != 5 || len(published) != 2 || len(unapplied) != 2 || len(retries) != 1 {
		t.Fatalf("spans: %d requests, %d observed, %d published, %d unapplied, %d retries", len(requests), len(observed), len(published), len(unapplied), len(retries))
	}
	for i, is := range []tracingtest.Traced{first, second} {
		tracingtest.CheckParent(t, observed[i], requests[0])
		tracingtest.CheckParent(t, published[i], observed[i])
		if want := (tracingtest.Traced{Origin: tracingtest.TraceParent(requests[0]), Parent: tracingtest.TraceParent(published[i])}); is != want {
			t.Errorf("message %d of the batch has %v, want %v", i+1, is, want)
		}
	}
	tracingtest.CheckParent(t, unapplied[0], requests[2])
	tracingtest.CheckParent(t, unapplied[1], requests[3])
	tracingtest.CheckParent(t, observed[4], retries[0])
	if hex.EncodeToString(requests[3].TraceId) == sentTrace {
		t.Error("an invalid traceparent was accepted")
	}
	for i, outcome := range []string{"stored", "stored", "unapplied", "malformed"} {
		tracingtest.CheckAttributes(t, requests[i], map[string]string{"mkio.outcome": outcome})
	}
	for i, outcome := range []string{"changed", "changed", "repeat", "late", "late"} {
		tracingtest.CheckAttributes(t, observed[i], map[string]string{"mkio.outcome": outcome})
	}
	tracingtest.CheckAttributes(t, unapplied[0], map[string]string{"mkio.reason": "late", "messaging.destination.name": "MKIO_UNAPPLIED"})
	checkUnappliedTrace(t, w, 1, tracingtest.TraceParent(unapplied[0]))
	checkUnappliedTrace(t, w, 2, tracingtest.TraceParent(unapplied[1]))
}

func checkUnappliedTrace(t *testing.T, w *commandBridge, sequence uint64, want string) {
	t.Helper()
	stream, err := w.js.Stream(t.Context(), w.names.UnappliedStream())
	if err != nil {
		t.Fatal(err)
	}
	m, err := stream.GetMsg(t.Context(), sequence)
	if err != nil {
		t.Fatal(err)
	}
	schematest.Unapplied(t, m.Header)
	if is := m.Header.Get(event.HeaderTraceParent); is != want {
		t.Errorf("the unapplied delivery has trace parent %s, want %s", is, want)
	}
}

// deliverIn makes a delivery with additional headers, and returns the status of the response.
func deliverIn(t *testing.T, b *bridge, body []byte, headers ...string) int {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, webhookPath, strings.NewReader(string(body)))
	request.Header.Set("X-Webhook-Secret", demoSecret)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response := httptest.NewRecorder()
	b.publicRoutes().ServeHTTP(response, request)
	return response.Code
}
