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
	"mkio-bridge/internal/schematest"
)

// localAdmin is an admin listener on loopback.
const localAdmin = "127.0.0.1:9090"

// ask makes a request to routes without a network.
func ask(routes http.Handler, method, target string, header http.Header) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, "http://"+localAdmin+target, nil)
	request.Header = header
	answer := httptest.NewRecorder()
	routes.ServeHTTP(answer, request)
	return answer
}

// get asks for a URL, whose answer is to have a status, and returns its body.
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

func TestThePublicListenerHasTheWebhookAndNothingElse(t *testing.T) {
	b := openForTest(t)
	for _, target := range []string{"/", "/metrics", "/readyz", "/livez", "/v1/resources", "/schemas/", "/debug/pprof/", "/webhooks/mkio//", "/webhooks", "//webhooks/mkio"} {
		if answer := ask(b.publicRoutes(), http.MethodGet, target, nil); answer.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", target, answer.Code)
		}
	}
	if answer := ask(b.publicRoutes(), http.MethodPost, webhookPath, nil); answer.Code != http.StatusUnauthorized {
		t.Errorf("a delivery without a secret: status %d", answer.Code)
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
		{http.MethodGet, "/schemas/schemas.go", 404, "event.schema.json"},
		{http.MethodGet, "/schemas/published.sum", 404, "asyncapi.yaml"},
		{http.MethodGet, "/v1/resources/job/aurora-vod/ladder-hd/nobody", 404, "no event"},
		{http.MethodGet, "/v1/resources/job/aurora-vod/ladder-hd", 404, "needs TRANSFORM and NAME"},
		{http.MethodGet, "/v1/resources/cassette/aurora-vod/x", 404, "unknown resource kind"},
		{http.MethodGet, "/v1/resources?kind=cassette", 400, "unknown kind"},
		{http.MethodGet, "/v1/events?from=x", 400, "no sequence"},
		{http.MethodGet, "/v1/events?since=yesterday", 400, "duration"},
		{http.MethodPost, "/v1/resources", 404, ""},
		{http.MethodGet, "/else", 404, ""},
	}
	for _, tt := range tests {
		answer := ask(routes, tt.method, tt.target, nil)
		if answer.Code != tt.status || !strings.Contains(answer.Body.String(), tt.want) {
			t.Errorf("%s %s: status %d, want %d and %q: %s", tt.method, tt.target, answer.Code, tt.status, tt.want, answer.Body)
		}
	}
	for target, want := range map[string]string{
		"/schemas/event.schema.json": "application/schema+json",
		"/schemas/asyncapi.yaml":     "application/vnd.aai.asyncapi+yaml;version=3.1.0",
	} {
		if contentType := ask(routes, http.MethodGet, target, nil).Header().Get("Content-Type"); contentType != want {
			t.Errorf("%s is %s, want %s", target, contentType, want)
		}
	}
}

func TestReadyOnlyWhileADeliveryCanBeStored(t *testing.T) {
	b := openForTest(t)
	if err := b.js.DeleteStream(t.Context(), b.names.UnappliedStream()); err != nil {
		t.Fatal(err)
	}
	if answer := ask(b.adminRoutes(true), http.MethodGet, "/readyz", nil); answer.Code != http.StatusServiceUnavailable || !strings.Contains(answer.Body.String(), "MKIO_UNAPPLIED") {
		t.Errorf("without a stream: status %d: %s", answer.Code, answer.Body)
	}
	b.embedded.Shutdown()
	if answer := ask(b.adminRoutes(true), http.MethodGet, "/readyz", nil); answer.Code != http.StatusServiceUnavailable {
		t.Errorf("without NATS: status %d: %s", answer.Code, answer.Body)
	}
	if answer := ask(b.adminRoutes(true), http.MethodGet, "/livez", nil); answer.Code != http.StatusOK {
		t.Errorf("without NATS: /livez is %d", answer.Code)
	}
}

// serveForTest runs a bridge until the test ends, and returns it with its context's end.
func serveForTest(t *testing.T, change func(*config)) (b *bridge, addr string, stop func() error) {
	t.Helper()
	b = openWith(t, change)
	addr, stop = serve(t, b)
	return b, addr, stop
}

// serve runs a bridge that is open until the test ends.
func serve(t *testing.T, b *bridge) (addr string, stop func() error) {
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
	return l.public.Addr().String(), stop
}

// A stream of events begins where the reader left off, goes on live, and ends when the bridge stops.
func TestEventsAreStreamed(t *testing.T) {
	b, _, stop := serveForTest(t, nil)
	server := httptest.NewServer(b.adminRoutes(true))
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
			if data, ok := strings.CutPrefix(scanner.Text(), "data: "); ok && len(ids) > 0 { // the first message is of the log
				schematest.Event(t, []byte(data))
			}
		}
		return ids
	}
	if status := deliver(t, b, bridgetest.Delivery(t, "job-finished.finished.json")); status != 204 {
		t.Fatalf("status %d", status)
	}
	if got := fmt.Sprint(read("?from=1", "", 2)); got != "[1 2]" {
		t.Errorf("from the first: %s", got)
	}
	if got := fmt.Sprint(read("?kind=job&state=finished&since=1h", "", 1)); got != "[2]" {
		t.Errorf("those that finished: %s", got)
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
		t.Errorf("after the second: %s", got)
	}
	go func() { live <- read("?from=4", "", 100) }()
	if err := stop(); err != nil {
		t.Error(err)
	}
	<-live // or the stream holds up the stop
}

// SIGTERM ends the context: what is in hand is answered, and what was answered is in the log.
func TestAStopAnswersWhatIsInHand(t *testing.T) {
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
	bridgetest.Eventually(t, "the listener is closed", func() bool { // until then the stop has not begun
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
		t.Errorf("the log does not hold what was answered: %v", err)
	}
}

// Who is answered before the body has come must not hold up the server, and least of all its stop.
func TestABodyThatNeverComesHoldsUpNothing(t *testing.T) {
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
		if err := conn.SetReadDeadline(time.Now().Add(edge.ReadTime / 2)); err != nil { // before the server gives up on the body
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
