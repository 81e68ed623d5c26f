package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/ingest"
	"mkio-bridge/internal/invariant"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/openapitest"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/rule"
	"mkio-bridge/internal/schematest"
	"mkio-bridge/internal/streams"
)

var names = event.NewNames(event.DefaultPrefix)

func TestMain(m *testing.M) { openapitest.Main(m) }

// A fixture is a handler behind a real HTTP server, on a real JetStream. It records what was delivered, for invariant.Check.
// What the handler answers is compared with schemas/openapi.yaml.
type fixture struct {
	t         *testing.T
	url       string
	js        jetstream.JetStream
	logs      *bridgetest.Buffer
	delivered []invariant.Delivered
}

func setUp(t *testing.T, change func(*ingest.Config)) *fixture {
	t.Helper()
	nc, js := brokertest.Start(t).Connect()
	if err := streams.Ensure(t.Context(), js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, js: js, logs: &bridgetest.Buffer{}}
	log := slog.New(slog.NewTextHandler(f.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	publisher := publish.New(nc, js, publish.Config{Names: names, BaseURL: "https://app.mk.io", Log: log})
	c := ingest.Config{
		Observer: publisher, Unapplied: publisher, Decoder: mkio.Decoder{Resource: mkio.ResourceRedacted},
		Secrets: func() []string { return []string{"current", "former"} }, Origins: []string{"app.mk.io"}, MaxBody: 64 << 10, Log: log, Token: publisher.Token,
	}
	if change != nil {
		change(&c)
	}
	server := httptest.NewServer(openapitest.Check(ingest.New(c)))
	t.Cleanup(server.Close)
	f.url = server.URL + rule.WebhookPath
	return f
}

// post delivers a body with the current secret and records the delivery and its status.
func (f *fixture) post(body string, change func(*http.Request)) *http.Response {
	f.t.Helper()
	request, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, f.url, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Webhook-Secret", "current")
	if change != nil {
		change(request)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode/100 == 2 || response.StatusCode == http.StatusBadRequest {
		items, err := mkio.SplitBatch([]byte(body))
		if err != nil {
			items = nil
		}
		for _, item := range items {
			o, err := (mkio.Decoder{}).Decode(item, time.Now())
			if err != nil {
				continue
			}
			delivered := invariant.Delivered{Observation: o, Digest: event.Hash(item), Status: response.StatusCode}
			if len(items) > 1 {
				delivered.Status = 0 // the response is the worst item's
			}
			f.delivered = append(f.delivered, delivered)
		}
	}
	return response
}

// reasons returns the reasons of all unapplied deliveries, after checking all invariants and schemas.
func (f *fixture) reasons() []lifecycle.Reason {
	f.t.Helper()
	if err := invariant.Check(f.t.Context(), f.js, names, f.delivered); err != nil {
		f.t.Error(err)
	}
	for e, err := range eventlog.New(f.js, names).Events(f.t.Context(), eventlog.Query{}) {
		if err != nil {
			f.t.Fatal(err)
		}
		schematest.Event(f.t, e.Payload)
	}
	var reasons []lifecycle.Reason
	for k, err := range eventlog.New(f.js, names).Unapplied(f.t.Context()) {
		if err != nil {
			f.t.Fatal(err)
		}
		reasons = append(reasons, k.Reason)
		stream, err := f.js.Stream(f.t.Context(), names.UnappliedStream())
		if err != nil {
			f.t.Fatal(err)
		}
		m, err := stream.GetMsg(f.t.Context(), k.Sequence)
		if err != nil {
			f.t.Fatal(err)
		}
		schematest.Unapplied(f.t, m.Header)
	}
	return reasons
}

// delivery is a minimal delivery of a live channel's state; second is its MK.IO time within 10:00.
func delivery(id, name, state string, second int) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"type":"MediaKind.ChannelInstanceStarted","source":"/api/v1/projects/p/live/liveChannels/%s",`+
		`"time":"2031-03-04T10:00:%02dZ","data":{"projectName":"p","state":%q}}`, id, name, second, state)
}

func TestResponses(t *testing.T) {
	deep := strings.Repeat("[", 60_000)
	tests := []struct {
		name      string
		body      string
		change    func(*http.Request)
		status    int
		unapplied lifecycle.Reason
	}{
		{"a delivery", delivery("1", "c", "Running", 1), nil, 204, ""},
		{"a batch", "[" + delivery("1", "c", "Running", 1) + "," + delivery("2", "c", "Stopped", 2) + "]", nil, 204, ""},
		{"a batch with a malformed item", "[" + delivery("1", "c", "Running", 1) + `,{"id":1}]`, nil, 400, lifecycle.ReasonMalformed},
		{"a batch with an unrecognised item", "[" + delivery("1", "c", "Running", 1) + "," + strings.Replace(delivery("2", "c", "R", 2), "MediaKind", "Other", 1) + "]", nil, 202, lifecycle.ReasonUnrecognised},
		{"an empty batch", "[]", nil, 400, ""},
		{"an empty body", "", nil, 400, lifecycle.ReasonMalformed},
		{"a truncated body", delivery("1", "c", "Running", 1)[:80], nil, 400, lifecycle.ReasonMalformed},
		{"not UTF-8", strings.Replace(delivery("1", "c", "Running", 1), "Running", "\xff", 1), nil, 400, lifecycle.ReasonMalformed},
		{"UTF-16", "\xfe\xff\x00{\x00}", nil, 400, lifecycle.ReasonMalformed},
		{"nested deeply", deep, nil, 400, lifecycle.ReasonMalformed},
		{"nested deeply in a delivery", strings.Replace(delivery("1", "c", "Running", 1), `"projectName"`, `"resource":`+strings.Repeat(`{"a":`, 10_010)+"1"+strings.Repeat("}", 10_010)+`,"projectName"`, 1), nil, 400, lifecycle.ReasonMalformed},
		{"two documents", delivery("1", "c", "Running", 1) + "{}", nil, 400, lifecycle.ReasonMalformed},
		{"a number", "5", nil, 400, lifecycle.ReasonMalformed},
		{"a body that panics other parsers", `{"data_base64":5,"specversion":"1.0"}`, nil, 400, lifecycle.ReasonMalformed},
		{"an empty key", `{"":"x","specversion":"1.0"}`, nil, 400, lifecycle.ReasonMalformed},
		{"no state", strings.Replace(delivery("1", "c", "Running", 1), `"state":"Running"`, `"x":1`, 1), nil, 400, lifecycle.ReasonMalformed},
		{"a source of an unknown kind", strings.Replace(strings.Replace(delivery("1", "c", "R", 1), "liveChannels", "fridges", 1), "ChannelInstanceStarted", "JobStarted", 1), nil, 202, lifecycle.ReasonUnrecognised},

		{"no secret", delivery("1", "c", "Running", 1), func(r *http.Request) { r.Header.Del("X-Webhook-Secret") }, 401, ""},
		{"a wrong secret", delivery("1", "c", "Running", 1), func(r *http.Request) { r.Header.Set("X-Webhook-Secret", "curren") }, 401, ""},
		{"a wrong secret and no JSON", "no", func(r *http.Request) { r.Header.Set("X-Webhook-Secret", "x") }, 401, ""},
		{"the former secret as a bearer token", delivery("1", "c", "Running", 1), func(r *http.Request) {
			r.Header.Del("X-Webhook-Secret")
			r.Header.Set("Authorization", "bearer former")
		}, 204, ""},
		{"the secret in the query", delivery("1", "c", "Running", 1), func(r *http.Request) {
			r.Header.Del("X-Webhook-Secret")
			r.URL.RawQuery = "a=b;c&access_token=current"
			r.URL.RawQuery = "access_token=current&%zz"
		}, 204, ""},
		{"basic authentication", delivery("1", "c", "Running", 1), func(r *http.Request) {
			r.Header.Del("X-Webhook-Secret")
			r.SetBasicAuth("current", "current")
		}, 401, ""},

		{"structured mode", delivery("1", "c", "Running", 1), contentType("application/cloudevents+json; charset=utf-8"), 204, ""},
		{"batch mode", "[" + delivery("1", "c", "Running", 1) + "]", contentType("application/cloudevents-batch+json"), 204, ""},
		{"one delivery under the type of a batch", delivery("1", "c", "Running", 1), contentType("application/cloudevents-batch+json"), 204, ""},
		{"JSON in capitals", delivery("1", "c", "Running", 1), contentType("Application/JSON"), 204, ""},
		{"no content type", delivery("1", "c", "Running", 1), func(r *http.Request) { r.Header.Del("Content-Type") }, 204, ""},
		{"text", delivery("1", "c", "Running", 1), contentType("text/plain"), 415, ""},
		{"a form", "a=b", contentType("application/x-www-form-urlencoded"), 415, ""},
		{"a broken content type", delivery("1", "c", "Running", 1), contentType("application/json; ;"), 415, ""},
		{"compressed", "x", contentEncoding("gzip"), 415, ""},
		{"compressed in capitals", "x", contentEncoding("GZip"), 415, ""},
		{"compressed by deflate", "x", contentEncoding("deflate"), 415, ""},
		{"compressed by brotli", "x", contentEncoding("br"), 415, ""},
		{"compressed by zstd", "x", contentEncoding("zstd"), 415, ""},
		{"compressed twice", "x", contentEncoding("gzip, gzip"), 415, ""},
		{"compressed in a list", "x", contentEncoding("identity, gzip"), 415, ""},
		{"compressed in a second header", "x", contentEncoding("identity", "gzip"), 415, ""},
		{"not compressed", delivery("1", "c", "Running", 1), contentEncoding("Identity"), 204, ""},
		{"compressed without Content-Encoding", "\x1f\x8b\x08\x00", nil, 400, lifecycle.ReasonMalformed},

		{"too large by its length", strings.Repeat(" ", 64<<10+1), nil, 413, ""},
		{"too large without a length", strings.Repeat(" ", 64<<10+1), func(r *http.Request) { r.ContentLength = -1 }, 413, ""},
		{"exactly the maximum size", delivery("1", "c", "Running", 1) + strings.Repeat(" ", 64<<10-len(delivery("1", "c", "Running", 1))), nil, 204, ""},

		{"GET", "", func(r *http.Request) { r.Method, r.Body = http.MethodGet, nil }, 405, ""},
		{"PUT", "{}", func(r *http.Request) { r.Method = http.MethodPut }, 405, ""},
		{"a made-up method", "{}", func(r *http.Request) { r.Method = "BREW" }, 405, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := setUp(t, nil)
			response := f.post(tt.body, tt.change)
			if response.StatusCode != tt.status {
				detail, _ := io.ReadAll(response.Body)
				t.Fatalf("status %d, want %d: %s", response.StatusCode, tt.status, detail)
			}
			if tt.status >= 400 {
				checkProblem(t, response)
			}
			if tt.status == http.StatusMethodNotAllowed && response.Header.Get("Allow") != "POST, OPTIONS" {
				t.Errorf("Allow is %q", response.Header.Get("Allow"))
			}
			var want []lifecycle.Reason
			if tt.unapplied != "" {
				want = append(want, tt.unapplied)
			}
			if got := f.reasons(); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("unapplied %v, want %v", got, want)
			}
			for _, secret := range []string{"current", "former"} {
				if f.logs.Contains(secret) {
					t.Errorf("a secret is in the log:\n%s", f.logs)
				}
			}
		})
	}
}

func contentEncoding(values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header["Content-Encoding"] = values }
}

func contentType(value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Content-Type", value) }
}

// checkProblem checks that a response is a problem document with title and detail.
func checkProblem(t *testing.T, response *http.Response) {
	t.Helper()
	var p struct {
		Status int    `json:"status"`
		Title  string `json:"title"`
		Detail string `json:"detail"`
	}
	if err := json.NewDecoder(response.Body).Decode(&p); err != nil || p.Status != response.StatusCode || p.Title == "" || p.Detail == "" ||
		response.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("problem %+v, %v, content type %q", p, err, response.Header.Get("Content-Type"))
	}
}

func TestDuplicateAndLateDeliveries(t *testing.T) {
	f := setUp(t, nil)
	status := func(body string, want int) {
		t.Helper()
		if got := f.post(body, nil).StatusCode; got != want {
			t.Errorf("status %d, want %d", got, want)
		}
	}
	running := delivery("1", "c", "Running", 10)
	status(running, 204)
	status(running, 204)
	status(delivery("2", "c", "Stopped", 20), 204)
	status(running, 204)
	late := delivery("3", "c", "Starting", 5)
	status(late, 202)
	status(late, 202)
	status(delivery("4", "c", "Running", 20), 202)
	if got := fmt.Sprint(f.reasons()); got != "[late conflict]" {
		t.Errorf("unapplied %s", got)
	}
}

func TestRandomBodiesNeverFailTheServer(t *testing.T) {
	f := setUp(t, nil)
	rng := rand.New(rand.NewPCG(1, 2))
	valid := delivery("1", "c", "Running", 1)
	for range 300 {
		body := []byte(valid)
		for range 1 + rng.IntN(4) {
			body[rng.IntN(len(body))] = byte(rng.IntN(256))
		}
		if response := f.post(string(body), nil); response.StatusCode >= 500 {
			t.Fatalf("status %d for %q", response.StatusCode, body)
		}
	}
	f.reasons()
}

// A body that ends before its Content-Length is incomplete: it is answered 400 and not stored.
func TestTruncatedBodyIsNotStored(t *testing.T) {
	f := setUp(t, nil)
	address, err := url.Parse(f.url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", address.Host)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nX-Webhook-Secret: current\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"a\":")
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	response, err := io.ReadAll(conn)
	if err != nil || !bytes.HasPrefix(response, []byte("HTTP/1.1 400 ")) {
		t.Errorf("response %q, %v", response, err)
	}
	if got := f.reasons(); len(got) != 0 {
		t.Errorf("unapplied %v", got)
	}
}

func TestHandshake(t *testing.T) {
	f := setUp(t, nil)
	tests := []struct {
		name    string
		headers map[string]string
		status  int
		origin  string
		rate    string
	}{
		{"an allowed origin", map[string]string{"WebHook-Request-Origin": "app.mk.io"}, 200, "app.mk.io", ""},
		{"an allowed origin with a rate", map[string]string{"WebHook-Request-Origin": "APP.mk.io", "WebHook-Request-Rate": "120"}, 200, "APP.mk.io", "*"},
		{"another origin", map[string]string{"WebHook-Request-Origin": "evil.example", "WebHook-Request-Rate": "120"}, 403, "", ""},
		{"an origin that begins like an allowed one", map[string]string{"WebHook-Request-Origin": "app.mk.io.evil.example"}, 403, "", ""},
		{"no origin", nil, 204, "", ""},
	}
	for _, tt := range tests {
		called := make(chan struct{}, 1)
		callback := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called <- struct{}{} }))
		response := f.post("", func(r *http.Request) {
			r.Method = http.MethodOptions
			r.Header = http.Header{"Webhook-Request-Callback": {callback.URL}}
			for name, value := range tt.headers {
				r.Header.Set(name, value)
			}
		})
		callback.Close() // waits for requests in flight
		if response.StatusCode != tt.status || response.Header.Get("WebHook-Allowed-Origin") != tt.origin || response.Header.Get("WebHook-Allowed-Rate") != tt.rate {
			t.Errorf("%s: status %d, headers %v", tt.name, response.StatusCode, response.Header)
		}
		if response.Header.Get("Allow") == "" {
			t.Errorf("%s: no Allow", tt.name)
		}
		if len(called) > 0 {
			t.Errorf("%s: the callback was called", tt.name)
		}
	}
}

func TestWithoutSecretsEveryDeliveryIsAccepted(t *testing.T) {
	f := setUp(t, func(c *ingest.Config) { c.Secrets = func() []string { return nil } })
	response := f.post(delivery("1", "c", "Running", 1), func(r *http.Request) { r.Header.Del("X-Webhook-Secret") })
	if response.StatusCode != http.StatusNoContent {
		t.Errorf("status %d", response.StatusCode)
	}
}

// failingStore fails every write, as JetStream does while it is down.
type failingStore struct{}

func (failingStore) Observe(context.Context, lifecycle.Observation) (lifecycle.Verdict, error) {
	return lifecycle.Verdict{}, errors.New("JetStream is down")
}

func (failingStore) StoreUnapplied(context.Context, lifecycle.Unapplied) error {
	return errors.New("stream is full")
}

func TestDeliveryThatCannotBeStoredIsNotAcknowledged(t *testing.T) {
	f := setUp(t, func(c *ingest.Config) { c.Observer, c.Unapplied = failingStore{}, failingStore{} })
	for _, body := range []string{delivery("1", "c", "Running", 1), "no JSON", "[" + delivery("1", "c", "Running", 1) + ",5]"} {
		response := f.post(body, nil)
		if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
			t.Errorf("%q: status %d, Retry-After %q", body, response.StatusCode, response.Header.Get("Retry-After"))
		}
		checkProblem(t, response)
	}
}

// While JetStream is down, thousands of deliveries a second may fail: their log lines are rate limited.
func TestStorageFailuresDoNotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs bytes.Buffer
		handler := ingest.New(ingest.Config{
			Observer: failingStore{}, Unapplied: failingStore{}, Secrets: func() []string { return []string{"current"} }, MaxBody: 64 << 10,
			Log: slog.New(slog.NewTextHandler(&logs, nil)),
		})
		const posts, limit = 200, 10
		for range 2 {
			logs.Reset()
			for range posts {
				request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("no JSON"))
				request.Header.Set("X-Webhook-Secret", "current")
				recorder := httptest.NewRecorder()
				handler.ServeHTTP(recorder, request)
				if recorder.Code != http.StatusServiceUnavailable {
					t.Fatalf("status %d", recorder.Code)
				}
			}
			if lines := strings.Count(logs.String(), "level=ERROR"); lines == 0 || lines > limit {
				t.Errorf("%d error lines for %d failures, want 1 to %d", lines, posts, limit)
			}
			time.Sleep(time.Hour) // the limit has refilled
		}
	})
}

// blockingObserver blocks each commit until release is closed.
type blockingObserver struct {
	entered chan struct{}
	release chan struct{}
}

func (w blockingObserver) Observe(context.Context, lifecycle.Observation) (lifecycle.Verdict, error) {
	w.entered <- struct{}{}
	<-w.release
	return lifecycle.Verdict{Outcome: lifecycle.Changed}, nil
}

func TestBodyBytesLimitAnswers429(t *testing.T) {
	w := blockingObserver{entered: make(chan struct{}), release: make(chan struct{})}
	const all = 16 << 20
	f := setUp(t, func(c *ingest.Config) { c.Observer, c.MaxBody = w, all })
	first := delivery("1", "c", "Running", 1)
	done := make(chan int)
	go func() { // it reserves all bytes in flight
		done <- f.post(first+strings.Repeat(" ", all-len(first)), nil).StatusCode
	}()
	<-w.entered
	for name, change := range map[string]func(*http.Request){
		"known":   nil,
		"unknown": func(r *http.Request) { r.ContentLength = -1 },
	} {
		response := f.post(delivery("2", "c", "Running", 1), change)
		if response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") == "" {
			t.Errorf("length %s: status %d, Retry-After %q", name, response.StatusCode, response.Header.Get("Retry-After"))
		}
	}
	close(w.release)
	if status := <-done; status != http.StatusNoContent {
		t.Errorf("status %d of the first", status)
	}
	for range 3 { // all bytes are released
		go func() { <-w.entered }()
		if response := f.post(first+strings.Repeat(" ", all-len(first)), func(r *http.Request) { r.ContentLength = -1 }); response.StatusCode != http.StatusNoContent {
			t.Errorf("status %d after the bytes were released", response.StatusCode)
		}
	}
	f.delivered = nil
}

// recordingObserver keeps every observation, as the cache of heads does.
type recordingObserver struct {
	ingest.Observer
	observations []lifecycle.Observation
}

func (k *recordingObserver) Observe(ctx context.Context, o lifecycle.Observation) (lifecycle.Verdict, error) {
	k.observations = append(k.observations, o)
	return k.Observer.Observe(ctx, o)
}

// Body buffers are reused: an observation must not refer to one after its request.
func TestObservationsDoNotShareBodyBuffers(t *testing.T) {
	for _, policy := range []mkio.ResourcePolicy{mkio.ResourceRedacted, mkio.ResourceFull, mkio.ResourceNone} {
		var k recordingObserver
		decoder := mkio.Decoder{Resource: policy}
		f := setUp(t, func(c *ingest.Config) { k.Observer, c.Observer, c.Decoder = c.Observer, &k, decoder })
		var bodies []string
		for i := range 20 {
			name := fmt.Sprint("job-", i)
			bodies = append(bodies, `{"specversion":"1.0","id":"`+name+`","type":"MediaKind.JobErrored","time":"2031-03-04T10:00:00Z",`+
				`"source":"/api/v1/projects/p/media/transforms/t/jobs/`+name+`","data":{"state":"Error","previousState":"was `+name+`","resource":{"name":"`+name+
				`","properties":{"state":"Error","correlationData":{"of":"`+name+`"},"outputs":[{"error":{"code":"`+name+`","message":"in `+name+`"}}]},"systemData":{"internalId":"life of `+name+`"}}}}`)
			if response := f.post(bodies[i], nil); response.StatusCode != http.StatusNoContent {
				t.Fatalf("status %d", response.StatusCode)
			}
		}
		for i, o := range k.observations {
			want, err := decoder.Decode([]byte(bodies[i]), o.Delivery.Received)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(o, want) {
				t.Errorf("delivery %d: observed %+v, later %+v", i, want, o)
			}
		}
	}
}

// A body of unknown length reserves bytes only as it arrives.
func TestBodiesOfUnknownLengthReserveLittleMemory(t *testing.T) {
	w := blockingObserver{entered: make(chan struct{}), release: make(chan struct{})}
	f := setUp(t, func(c *ingest.Config) { c.Observer, c.MaxBody = w, 4<<20 })
	statuses := make(chan int)
	const many = 100
	for i := range many {
		body := delivery(fmt.Sprint(i), "c", "Running", 1)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.ContentLength = -1
		request.Header.Set("X-Webhook-Secret", "current")
		go func() {
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Error(err)
				statuses <- 0
				return
			}
			response.Body.Close()
			statuses <- response.StatusCode
		}()
		<-w.entered
	}
	close(w.release)
	for range many {
		if status := <-statuses; status != http.StatusNoContent {
			t.Errorf("status %d", status)
		}
	}
}
