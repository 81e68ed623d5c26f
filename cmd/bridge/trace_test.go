package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/schematest"
)

// A sender's trace.
const (
	sentTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	sentSpan   = "00f067aa0ba902b7"
	sentParent = "00-" + sentTrace + "-" + sentSpan + "-01"
	sentState  = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"
)

// traced are the places of a message in traces: where it says that it began, and what published it.
type traced struct{ origin, originState, parent, state string }

// tracedAt reads a message of the log, and holds it against the schemas.
func tracedAt(t *testing.T, js jetstream.JetStream, sequence uint64) traced {
	t.Helper()
	stream, err := js.Stream(t.Context(), event.NewNames(event.DefaultPrefix).EventStream())
	if err != nil {
		t.Fatal(err)
	}
	m, err := stream.GetMsg(t.Context(), sequence)
	if err != nil {
		t.Fatal(err)
	}
	schematest.Event(t, m.Data)
	schematest.EventHeaders(t, m.Header)
	var e event.Event
	if err := json.Unmarshal(m.Data, &e); err != nil {
		t.Fatal(err)
	}
	return traced{e.TraceParent, e.TraceState, m.Header.Get(event.HeaderTraceParent), m.Header.Get(event.HeaderTraceState)}
}

// A whole bridge exports what a delivery led to, and tells where to.
func TestATraceGoesFromADeliveryToItsEvent(t *testing.T) {
	c := newCollector(t)
	p := startBridge(t, "BRIDGE_STORE_DIR="+filepath.Join(t.TempDir(), "store"), "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL,
		"OTEL_EXPORTER_OTLP_HEADERS=X-Key=s3cret", "OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test")
	if status := p.deliverWith(fixture(t, "job-started.json"), "traceparent", sentParent, "tracestate", sentState); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
	is := tracedAt(t, p.jetStream(), 1)
	p.stop() // which exports what is left
	if said := strings.Join(p.said, "\n"); !strings.Contains(said, c.URL) || strings.Contains(said, "s3cret") {
		t.Errorf("the bridge said: %s", said)
	}
	if c.key != "s3cret" || c.resource["service.name"] != "mkio-bridge" || c.resource["deployment.environment.name"] != "test" || c.resource["service.version"] == "" {
		t.Errorf("sent with key %q, by %v", c.key, c.resource)
	}
	if len(c.spans) != 3 {
		t.Fatalf("spans: %v", c.spans)
	}
	request, observe, publish := c.named("POST " + webhookPath)[0], c.named("observe")[0], c.named("publish")[0]
	if hex.EncodeToString(request.TraceId) != sentTrace || hex.EncodeToString(request.ParentSpanId) != sentSpan {
		t.Errorf("the request is not in the sender's trace: %v", request)
	}
	below(t, observe, request)
	below(t, publish, observe)
	if want := (traced{sentParent, sentState, parentOf(publish), sentState}); is != want {
		t.Errorf("the message has %v, want %v", is, want)
	}
	holdsAttributes(t, request, map[string]string{"http.request.method": "POST", "http.response.status_code": "204", "mkio.outcome": "told"})
	holdsAttributes(t, observe, map[string]string{"mkio.kind": "job", "mkio.project": "aurora-vod", "mkio.via": "webhook", "mkio.outcome": "changed"})
	holdsAttributes(t, publish, map[string]string{"messaging.system": "nats", "messaging.destination.name": "MKIO_EVENTS", "cloudevents.event_type": "mkio.job.state.changed"})
	if request.Kind != tracepb.Span_SPAN_KIND_SERVER || publish.Kind != tracepb.Span_SPAN_KIND_PRODUCER {
		t.Errorf("the spans are %s and %s", request.Kind, publish.Kind)
	}
}

// jetStream connects to the bridge's own server.
func (p *process) jetStream() jetstream.JetStream {
	p.t.Helper()
	nc, err := nats.Connect("nats://" + p.nats)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		p.t.Fatal(err)
	}
	return js
}

// deliverWith posts a body with headers and returns the status.
func (p *process) deliverWith(body []byte, headers ...string) int {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.webhook, strings.NewReader(string(body)))
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

func TestTracesOfEveryAnswer(t *testing.T) {
	c := newCollector(t)
	traces := exportHere(t, c)
	w := newWorkshop(t, func(conf *config) { conf.tracer = traces.Tracer() })
	started, finished := fixture(t, "job-started.json"), fixture(t, "job-finished.finished.json")
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
		t.Errorf("a stranger: status %d", status)
	}
	first, second := tracedAt(t, w.js, 1), tracedAt(t, w.js, 2)
	retried := ask(w.adminRoutes(true), http.MethodPost, "/v1/unapplied/1/retry", http.Header{"Traceparent": {sentParent}})
	if retried.Code != 200 {
		t.Errorf("retried: %s", retried.Body)
	}
	traces.Close()

	requests, observed, published, kept, retries := c.named("POST "+webhookPath), c.named("observe"), c.named("publish"), c.named("keep"), c.named("retry")
	if len(requests) != 4 || len(observed) != 5 || len(published) != 2 || len(kept) != 2 || len(retries) != 1 {
		t.Fatalf("spans: %d requests, %d observed, %d published, %d kept, %d retries", len(requests), len(observed), len(published), len(kept), len(retries))
	}
	for i, is := range []traced{first, second} {
		below(t, observed[i], requests[0])
		below(t, published[i], observed[i])
		if want := (traced{origin: parentOf(requests[0]), parent: parentOf(published[i])}); is != want {
			t.Errorf("message %d of the batch has %v, want %v", i+1, is, want)
		}
	}
	below(t, kept[0], requests[2])
	below(t, kept[1], requests[3])
	below(t, observed[4], retries[0])
	if hex.EncodeToString(requests[3].TraceId) == sentTrace {
		t.Error("a traceparent that is none was taken")
	}
	for i, outcome := range []string{"told", "told", "kept", "malformed"} {
		holdsAttributes(t, requests[i], map[string]string{"mkio.outcome": outcome})
	}
	for i, outcome := range []string{"changed", "changed", "repeat", "late", "late"} {
		holdsAttributes(t, observed[i], map[string]string{"mkio.outcome": outcome})
	}
	holdsAttributes(t, kept[0], map[string]string{"mkio.reason": "late", "messaging.destination.name": "MKIO_UNAPPLIED"})
	checkKeptTrace(t, w, 1, parentOf(kept[0]))
	checkKeptTrace(t, w, 2, parentOf(kept[1]))
}

func checkKeptTrace(t *testing.T, w *workshop, sequence uint64, want string) {
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
		t.Errorf("what was put aside has %s, want %s", is, want)
	}
}

// deliverIn makes a delivery in a trace, and returns the status of the answer.
func deliverIn(t *testing.T, b *bridge, body []byte, headers ...string) int {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, webhookPath, strings.NewReader(string(body)))
	request.Header.Set("X-Webhook-Secret", demoSecret)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	b.publicRoutes().ServeHTTP(answer, request)
	return answer.Code
}
