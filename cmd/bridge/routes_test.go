package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/edge"
	"mkio-bridge/internal/openapitest"
	"mkio-bridge/internal/schematest"
)

// adminHost is an admin listener on loopback.
const adminHost = "127.0.0.1:9090"

// serveRequest makes a request to routes without a network. What they answer is compared with schemas/openapi.yaml.
func serveRequest(routes http.Handler, method, target string, header http.Header) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, "http://"+adminHost+target, nil)
	request.Header = header
	response := httptest.NewRecorder()
	openapitest.Check(routes).ServeHTTP(response, request)
	return response
}

// get returns the body of a URL, and checks its status.
func get(t *testing.T, url string, want int) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != want {
		t.Errorf("%s: status %d, want %d, %v: %s", url, response.StatusCode, want, err, body)
	}
	return string(body)
}

func TestPublicListenerServesOnlyTheWebhook(t *testing.T) {
	b := openForTest(t)
	for _, target := range []string{"/", "/metrics", "/readyz", "/livez", "/v1/resources", "/schemas/", "/debug/pprof/", "/webhooks/mkio//", "/webhooks", "//webhooks/mkio"} {
		if response := serveRequest(b.publicRoutes(), http.MethodGet, target, nil); response.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", target, response.Code)
		}
	}
	if response := serveRequest(b.publicRoutes(), http.MethodPost, webhookPath, nil); response.Code != http.StatusUnauthorized {
		t.Errorf("a delivery without a secret: status %d", response.Code)
	}
}

func TestAdminRoutes(t *testing.T) {
	b := openForTest(t)
	routes := b.adminRoutes(true)
	tests := []struct {
		method, target string
		status         int
		want           string
	}{
		{http.MethodGet, "/livez", 200, ""},
		{http.MethodGet, "/readyz", 200, ""},
		{http.MethodGet, "/metrics", 200, "mkio_bridge_observations_total"},
		{http.MethodGet, "/schemas/event.schema.json", 200, "urn:mkio-bridge:schema:event:1"},
		{http.MethodGet, "/schemas/asyncapi.yaml", 200, "asyncapi: 3.1.0"},
		{http.MethodGet, "/schemas/openapi.yaml", 200, "openapi: 3.1.1"},
		{http.MethodGet, "/schemas/schemas.go", 404, "event.schema.json"},
		{http.MethodGet, "/schemas/published.sum", 404, "asyncapi.yaml"},
		{http.MethodGet, "/v1/resources/job/aurora-vod/ladder-hd/nobody", 404, "no event"},
		{http.MethodGet, "/v1/resources/job/aurora-vod/ladder-hd", 404, "needs TRANSFORM and NAME"},
		{http.MethodGet, "/v1/resources/cassette/aurora-vod/x", 404, "unknown resource kind"},
		{http.MethodGet, "/v1/resources?kind=cassette", 400, "unknown kind"},
		{http.MethodGet, "/v1/events?from=x", 400, "not a sequence"},
		{http.MethodGet, "/v1/events?since=yesterday", 400, "duration"},
		{http.MethodPost, "/v1/resources", 404, ""},
		{http.MethodGet, "/else", 404, ""},
	}
	for _, tt := range tests {
		response := serveRequest(routes, tt.method, tt.target, nil)
		if response.Code != tt.status || !strings.Contains(response.Body.String(), tt.want) {
			t.Errorf("%s %s: status %d, want %d and %q: %s", tt.method, tt.target, response.Code, tt.status, tt.want, response.Body)
		}
	}
	for target, want := range map[string]string{
		"/schemas/event.schema.json": "application/schema+json",
		"/schemas/asyncapi.yaml":     "application/vnd.aai.asyncapi+yaml;version=3.1.0",
		"/schemas/openapi.yaml":      "application/openapi+yaml;version=3.1.1",
	} {
		if contentType := serveRequest(routes, http.MethodGet, target, nil).Header().Get("Content-Type"); contentType != want {
			t.Errorf("%s is %s, want %s", target, contentType, want)
		}
	}
}

func TestReadyOnlyWhileDeliveriesCanBeStored(t *testing.T) {
	b := openForTest(t)
	if err := b.js.DeleteStream(t.Context(), b.names.UnappliedStream()); err != nil {
		t.Fatal(err)
	}
	if response := serveRequest(b.adminRoutes(true), http.MethodGet, "/readyz", nil); response.Code != http.StatusServiceUnavailable || !strings.Contains(response.Body.String(), "MKIO_UNAPPLIED") {
		t.Errorf("without a stream: status %d: %s", response.Code, response.Body)
	}
	b.embedded.Shutdown()
	if response := serveRequest(b.adminRoutes(true), http.MethodGet, "/readyz", nil); response.Code != http.StatusServiceUnavailable {
		t.Errorf("without NATS: status %d: %s", response.Code, response.Body)
	}
	if response := serveRequest(b.adminRoutes(true), http.MethodGet, "/livez", nil); response.Code != http.StatusOK {
		t.Errorf("without NATS: /livez is %d", response.Code)
	}
}

// serveForTest serves a bridge until the test ends or stop is called, which returns serve's error.
func serveForTest(t *testing.T, change func(*config)) (b *bridge, addr string, stop func() error) {
	t.Helper()
	b = openWith(t, change)
	addr, stop = serve(t, b)
	return b, addr, stop
}

// serve serves an open bridge until the test ends or stop is called.
func serve(t *testing.T, b *bridge) (addr string, stop func() error) {
	t.Helper()
	l, stop := serveBoth(t, b)
	return l.public.Addr().String(), stop
}

// serveAdmin opens and serves a bridge, and returns the address of its admin listener.
func serveAdmin(t *testing.T, change func(*config)) (addr string) {
	t.Helper()
	l, _ := serveBoth(t, openWith(t, change))
	return l.admin.Addr().String()
}

func serveBoth(t *testing.T, b *bridge) (l listeners, stop func() error) {
	t.Helper()
	l, err := listen(t.Context(), b.config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- b.serve(ctx, l) }()
	stop = func() error { cancel(); err := <-served; served <- err; return err }
	t.Cleanup(func() { _ = stop() })
	return l, stop
}

// An event stream resumes where the reader left off, continues live, and ends when the bridge stops.
func TestEventsAreStreamed(t *testing.T) {
	b, _, stop := serveForTest(t, nil)
	server := httptest.NewServer(openapitest.Check(b.adminRoutes(true)))
	defer server.Close()
	read := func(query, last string, n int) (ids []string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/events"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Last-Event-ID", last)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if got := response.Header.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("content type %q", got)
		}
		for scanner := bufio.NewScanner(response.Body); len(ids) < n && scanner.Scan(); {
			if id, ok := strings.CutPrefix(scanner.Text(), "id: "); ok {
				ids = append(ids, id)
			}
			if data, ok := strings.CutPrefix(scanner.Text(), "data: "); ok && len(ids) > 0 { // the first message names the log
				schematest.Event(t, []byte(data))
			}
		}
		return ids
	}
	if status := deliver(t, b, bridgetest.Delivery(t, "job-finished.finished.json")); status != 204 {
		t.Fatalf("status %d", status)
	}
	if got := fmt.Sprint(read("?from=1", "", 2)); got != "[1 2]" {
		t.Errorf("from 1: %s", got)
	}
	if got := fmt.Sprint(read("?kind=job&state=finished&since=1h", "", 1)); got != "[2]" {
		t.Errorf("finished jobs: %s", got)
	}
	live := make(chan []string)
	go func() { live <- read("", "2", 2) }()
	if status := deliver(t, b, bridgetest.Delivery(t, "streaming-locator-created.json")); status != 204 {
		t.Fatalf("status %d", status)
	}
	if status := deliver(t, b, bridgetest.Delivery(t, "scheduled-operation-accepted.json")); status != 204 {
		t.Fatalf("status %d", status)
	}
	if got := fmt.Sprint(<-live); got != "[3 4]" {
		t.Errorf("after 2: %s", got)
	}
	go func() { live <- read("?from=4", "", 100) }()
	if err := stop(); err != nil {
		t.Error(err)
	}
	<-live // else the stream delays the stop
}

// SIGTERM ends the context: requests in flight get their responses, and their deliveries are in the log.
func TestStopAnswersRequestsInFlight(t *testing.T) {
	b, addr, stop := serveForTest(t, nil)
	body := bridgetest.Delivery(t, "streaming-locator-created.json")
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nX-Webhook-Secret: %s\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", webhookPath, demoSecret, len(body))
	reader := bufio.NewReader(conn)
	if line, err := reader.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v", line, err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	bridgetest.Eventually(t, "the listener is closed", func() bool { // then the stop has begun
		probe, err := net.Dial("tcp", addr)
		if err == nil {
			probe.Close()
		}
		return err != nil
	})
	if _, err := conn.Write(body); err != nil {
		t.Fatal(err)
	}
	if _, err := reader.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != http.StatusNoContent {
		t.Fatalf("response %v, %v", response, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	stream, err := b.js.Stream(t.Context(), b.names.EventStream())
	if err != nil || stream.CachedInfo().State.Msgs != 2 {
		t.Errorf("the log lacks the delivery that got 204: %v", err)
	}
}

// A request that gets its response before its body has arrived blocks neither the server nor its stop.
func TestMissingBodyBlocksNothing(t *testing.T) {
	_, addr, stop := serveForTest(t, nil)
	for head, want := range map[string]int{
		"POST " + webhookPath + " HTTP/1.1\r\n": http.StatusUnauthorized,
		"POST /else HTTP/1.1\r\n":               http.StatusNotFound,
		"PUT " + webhookPath + " HTTP/1.1\r\n":  http.StatusMethodNotAllowed,
		"POST " + webhookPath + " HTTP/1.1\r\nContent-Type: text/plain\r\nX-Webhook-Secret: " + demoSecret + "\r\n": http.StatusUnsupportedMediaType,
	} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetReadDeadline(time.Now().Add(edge.ReadTimeout / 2)); err != nil { // less than the server's own timeout
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%sHost: x\r\nContent-Length: 1000\r\n\r\n{", head)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || response.StatusCode != want {
			t.Errorf("%q: %v, %v, want %d", head, response, err, want)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
