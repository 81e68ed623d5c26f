package admin

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/ingest"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/openapitest"
	"mkio-bridge/internal/problem"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/streams"
)

var names = event.NewNames(event.DefaultPrefix)

// A fixture is an API with the parts of a bridge that it needs, on a real JetStream.
type fixture struct {
	Config
	t         testing.TB
	js        jetstream.JetStream
	publisher *publish.Publisher
	ingest    *ingest.Handler
}

// setUp returns a fixture on loopback, without a token and with an empty log.
func setUp(t testing.TB) *fixture {
	t.Helper()
	nc, js := brokertest.Start(t).Connect()
	if err := streams.Ensure(t.Context(), js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	publisher := publish.New(nc, js, publish.Config{Names: names, BaseURL: "https://app.mk.io", Log: log})
	handler := ingest.New(ingest.Config{
		Observer: publisher, Unapplied: publisher, Deleter: publisher, Previewer: publisher, Decoder: mkio.Decoder{Resource: mkio.ResourceRedacted},
		Secrets: func() []string { return nil }, MaxBody: 1 << 20, Log: log, Token: publisher.Token,
	})
	return &fixture{
		Config: Config{
			Events: eventlog.New(js, names), Heads: publisher, Retrier: handler, LogLevel: NewLevel(slog.LevelError),
			Token: func() string { return "" }, Loopback: true, Stopping: t.Context(), Log: log,
		},
		t: t, js: js, publisher: publisher, ingest: handler,
	}
}

// fixtureWithEvents returns a fixture with four events: a job that is Processing (1) and Finished (2), a locator that is
// Created (3) and an operation that is Accepted (4).
func fixtureWithEvents(t *testing.T) *fixture {
	t.Helper()
	f := setUp(t)
	for _, name := range []string{"job-started.json", "job-finished.finished.json", "streaming-locator-created.json", "scheduled-operation-accepted.json"} {
		f.deliver(name)
	}
	if err := f.publisher.Load(t.Context()); err != nil { // waits for the server to fill the state bucket
		t.Fatal(err)
	}
	return f
}

// deliver makes a delivery that becomes an event.
func (f *fixture) deliver(name string) {
	f.t.Helper()
	f.deliverBody(bridgetest.Delivery(f.t, name))
}

// deliverBody makes a delivery with a body that becomes an event.
func (f *fixture) deliverBody(body []byte) {
	f.t.Helper()
	request := httptest.NewRequestWithContext(f.t.Context(), http.MethodPost, "/", bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	response := httptest.NewRecorder()
	f.ingest.ServeHTTP(response, request)
	if response.Code != http.StatusNoContent {
		f.t.Fatalf("status %d: %s\n%s", response.Code, response.Body, body)
	}
}

func TestMain(m *testing.M) { openapitest.Main(m) }

// routesOf returns the routes of an API. What they answer is compared with schemas/openapi.yaml.
func routesOf(c Config) http.Handler { return openapitest.Check(uncheckedRoutesOf(c)) }

// uncheckedRoutesOf returns the routes of an API without that comparison: for a benchmark, or for a log with what no bridge writes.
func uncheckedRoutesOf(c Config) http.Handler {
	mux := http.NewServeMux()
	New(c).Register(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		problem.Write(w, http.StatusNotFound, "endpoint not found")
	}) // as in cmd/bridge
	return mux
}

func (f *fixture) routes() http.Handler { return routesOf(f.Config) }

// adminHost is an admin listener on loopback.
const adminHost = "127.0.0.1:9090"

// serveRequest makes a request to routes without a network.
func serveRequest(routes http.Handler, method, target string, header http.Header) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, "http://"+adminHost+target, nil)
	request.Header = header
	response := httptest.NewRecorder()
	routes.ServeHTTP(response, request)
	return response
}
