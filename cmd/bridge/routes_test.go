package main

import (
	"bufio"
	"context"
	"encoding/json"
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
		{http.MethodGet, "/v1/resources/job/aurora-vod/ladder-hd", 404, "2 names"},
		{http.MethodGet, "/v1/resources/cassette/aurora-vod/x", 404, "no resource kind"},
		{http.MethodGet, "/v1/resources?kind=cassette", 400, "no kind"},
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

func TestV1NeedsTheTokenOrLoopback(t *testing.T) {
	b := openForTest(t)
	const target = "/v1/resources?kind=job"
	if answer := ask(b.adminRoutes(false), http.MethodGet, target, nil); answer.Code != http.StatusNotFound {
		t.Errorf("no token, not on loopback: status %d", answer.Code)
	}
	if err := b.config.AdminToken.Decode("hunter2"); err != nil {
		t.Fatal(err)
	}
	for _, loopback := range []bool{true, false} {
		routes := b.adminRoutes(loopback)
		for header, want := range map[string]int{"": 401, "Bearer hunter": 401, "Basic hunter2": 401, "Bearer hunter2": 200} {
			if answer := ask(routes, http.MethodGet, target, http.Header{"Authorization": {header}}); answer.Code != want {
				t.Errorf("Authorization %q, loopback %t: status %d, want %d", header, loopback, answer.Code, want)
			}
		}
	}
}

// A page of elsewhere can have its own name resolve to loopback; a browser takes all that answers there for the page's own.
func TestV1WithoutATokenIsForThisMachine(t *testing.T) {
	routes := openForTest(t).adminRoutes(true)
	for host, want := range map[string]int{
		"localhost": 200, "localhost:9090": 200, "127.0.0.1": 200, "127.0.0.1:9090": 200, "[::1]": 200, "[::1]:9090": 200,
		"page.test": 403, "page.test:9090": 403, "127.0.0.1.page.test:9090": 403, "localhost.page.test": 403, "": 403,
	} {
		request := httptest.NewRequest(http.MethodGet, "/v1/resources?kind=job", nil)
		request.Host = host
		answer := httptest.NewRecorder()
		routes.ServeHTTP(answer, request)
		if answer.Code != want {
			t.Errorf("host %q: status %d, want %d", host, answer.Code, want)
		}
	}
}

func TestListOfResources(t *testing.T) {
	b := openForTest(t)
	if status := deliver(t, b, bridgetest.Delivery(t, "streaming-locator-created.json")); status != 204 {
		t.Fatalf("status %d", status)
	}
	if err := b.publisher.Load(t.Context()); err != nil { // waits for the server to fill the bucket
		t.Fatal(err)
	}
	for target, want := range map[string]int{"/v1/resources": 2, "/v1/resources?kind=job": 1, "/v1/resources?project=nobody": 0, "/v1/resources?state=CREATED&name=ep-0417-pub": 1} {
		answer := ask(b.adminRoutes(true), http.MethodGet, target, nil)
		lines := 0
		for scanner := bufio.NewScanner(answer.Body); scanner.Scan(); lines++ {
			var r struct {
				Sequence uint64
				Subject  string
				Event    json.RawMessage
			}
			if err := json.Unmarshal(scanner.Bytes(), &r); err != nil || r.Sequence == 0 || r.Subject == "" {
				t.Errorf("%s: line %s, %v", target, scanner.Bytes(), err)
			}
			schematest.Event(t, r.Event)
		}
		if answer.Code != http.StatusOK || lines != want {
			t.Errorf("%s: status %d, %d lines, want %d", target, answer.Code, lines, want)
		}
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

// A stream on which nothing happens says that it is there, in the midst of nothing else.
func TestAStreamIsKeptAlive(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		stream := eventStream{w: w}
		_ = stream.beat(ctx, time.Millisecond)
	}))
	defer server.Close()
	defer stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	said := make([]byte, len(":\n\n:\n\n"))
	if _, err := io.ReadFull(response.Body, said); err != nil || string(said) != ":\n\n:\n\n" {
		t.Errorf("it said %q, %v", said, err)
	}
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
