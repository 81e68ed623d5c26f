package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
	"mkio-bridge/internal/schematest"
	"mkio-bridge/internal/tracing"
)

// A sender's trace.
const (
	sentTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	sentSpan   = "00f067aa0ba902b7"
	sentParent = "00-" + sentTrace + "-" + sentSpan + "-01"
	sentState  = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"
)

// A collector takes spans as OTLP over HTTP.
type collector struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	spans    []*tracepb.Span
	resource map[string]string
	key      string // that it was sent
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{t: t, resource: map[string]string{}}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *collector) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var told collectorpb.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &told)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		c.t.Errorf("%s: %v", r.URL, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.key = r.Header.Get("X-Key")
	for _, resource := range told.ResourceSpans {
		for name, value := range attributesOf(resource.Resource.Attributes) {
			c.resource[name] = value
		}
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
}

func attributesOf(all []*commonpb.KeyValue) map[string]string {
	found := map[string]string{}
	for _, a := range all {
		switch v := a.Value.Value.(type) {
		case *commonpb.AnyValue_StringValue:
			found[a.Key] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			found[a.Key] = fmt.Sprint(v.IntValue)
		case *commonpb.AnyValue_BoolValue:
			found[a.Key] = fmt.Sprint(v.BoolValue)
		}
	}
	return found
}

// named returns the spans of a name, oldest first.
func (c *collector) named(name string) (found []*tracepb.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.Name == name {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b *tracepb.Span) int { return int(a.StartTimeUnixNano) - int(b.StartTimeUnixNano) })
	return found
}

// parentOf is a span as traceparent has it.
func parentOf(s *tracepb.Span) string {
	return "00-" + hex.EncodeToString(s.TraceId) + "-" + hex.EncodeToString(s.SpanId) + "-01"
}

// below checks that a span is a child of another.
func below(t *testing.T, child, parent *tracepb.Span) {
	t.Helper()
	if string(child.TraceId) != string(parent.TraceId) || string(child.ParentSpanId) != string(parent.SpanId) {
		t.Errorf("%s is not below %s: %v, %v", child.Name, parent.Name, child, parent)
	}
}

// holdsAttributes checks what a span tells.
func holdsAttributes(t *testing.T, s *tracepb.Span, want map[string]string) {
	t.Helper()
	is := attributesOf(s.Attributes)
	for name, value := range want {
		if is[name] != value {
			t.Errorf("%s: %s is %q, want %q", s.Name, name, is[name], value)
		}
	}
}

// exportHere has bridges of this process export.
func exportHere(t *testing.T, c *collector) *tracing.Export {
	t.Helper()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	traces, err := tracing.FromEnvironment(t.Context(), "1.2.3", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(traces.Close)
	return traces
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
	nc, err := nats.Connect("nats://" + p.nats)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	is := tracedAt(t, js, 1)
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

func TestATraceGoesFromAPollToItsEvent(t *testing.T) {
	c := newCollector(t)
	traces := exportHere(t, c)
	fake := mkiofake.New(mkiofake.Config{Token: demoToken, Projects: []string{mkiofake.VOD}})
	job, err := lifecycle.NewKey(lifecycle.Job, mkiofake.VOD, "ladder-hd", "ep-1")
	if err != nil {
		t.Fatal(err)
	}
	fake.Create(job, "Processing")
	w := newWorkshop(t, func(conf *config) {
		conf.tracer, conf.transport, conf.Kinds = traces.Tracer(), fake, kinds{lifecycle.Job}
	})
	ctx, stop := context.WithCancel(t.Context())
	polling := make(chan struct{})
	go func() { defer close(polling); w.poll(ctx) }()
	awaitEvents(t, w.js, 1)
	stop()
	<-polling
	is := tracedAt(t, w.js, 1)
	traces.Close()

	published := c.named("publish")
	if len(published) != 1 {
		t.Fatalf("published: %v", published)
	}
	observed := spanBehind(t, c, published[0], "observe")
	poll := spanBehind(t, c, observed, "poll sweep")
	if len(poll.ParentSpanId) > 0 {
		t.Errorf("the poll is in somebody's trace: %v", poll)
	}
	if want := (traced{origin: parentOf(poll), parent: parentOf(published[0])}); is != want {
		t.Errorf("the message has %v, want %v", is, want)
	}
	holdsAttributes(t, poll, map[string]string{"mkio.project": mkiofake.VOD})
	holdsAttributes(t, observed, map[string]string{"mkio.via": "poll"})
}

// spanBehind returns the parent of a span, which must have a name.
func spanBehind(t *testing.T, c *collector, child *tracepb.Span, name string) *tracepb.Span {
	t.Helper()
	for _, s := range c.named(name) {
		if string(s.SpanId) == string(child.ParentSpanId) {
			below(t, child, s)
			return s
		}
	}
	t.Fatalf("behind %s is no %s: %v", child.Name, name, c.spans)
	return nil
}

// awaitEvents waits until the log has so many events.
func awaitEvents(t *testing.T, js jetstream.JetStream, n int) {
	t.Helper()
	consumer, err := js.OrderedConsumer(t.Context(), event.NewNames(event.DefaultPrefix).EventStream(), jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	for range n {
		if _, err := messages.Next(jetstream.NextContext(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
}

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
			nc, err := nats.Connect("nats://" + p.nats)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			js, err := jetstream.New(nc)
			if err != nil {
				t.Fatal(err)
			}
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
	p := startBridge(t, "BRIDGE_STORE_DIR="+filepath.Join(t.TempDir(), "store"), "OTEL_EXPORTER_OTLP_ENDPOINT="+away.URL, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=1")
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

func TestATraceThatCannotBeExportedIsAWrongSetting(t *testing.T) {
	_, stderr, code := runCommand(t, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=collector", "BRIDGE_STORE_DIR=" + t.TempDir()}, "run")
	if code != exitUsage || !strings.Contains(stderr, "OTEL_EXPORTER_OTLP_ENDPOINT") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
