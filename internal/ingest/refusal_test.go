package ingest_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"mkio-bridge/internal/ingest"
)

// warnings returns the log lines of level warn.
func warnings(logs string) (lines []string) {
	for line := range strings.Lines(logs) {
		if strings.Contains(line, "level=WARN") {
			lines = append(lines, line)
		}
	}
	return lines
}

// refusingHandler returns a handler that cannot store anything, and its log at the default level.
func refusingHandler() (*ingest.Handler, *bytes.Buffer) {
	var logs bytes.Buffer
	return ingest.New(ingest.Config{
		Observer: failingStore{}, Unapplied: failingStore{}, Secrets: func() []string { return []string{"current"} }, MaxBody: 64,
		Log: slog.New(slog.NewTextHandler(&logs, nil)),
	}), &logs
}

// A refused request may be a delivery with a wrong secret or address: it is counted, and logged at the default level.
func TestEveryRefusedRequestIsCountedAndLogged(t *testing.T) {
	tests := []struct {
		name, want string
		change     func(*http.Request)
		status     int
	}{
		{"a wrong secret", "secret", func(r *http.Request) { r.Header.Set("X-Webhook-Secret", "hunter2") }, http.StatusUnauthorized},
		{"no secret", "secret", func(r *http.Request) { r.Header.Del("X-Webhook-Secret") }, http.StatusUnauthorized},
		{"another method", "POST", func(r *http.Request) { r.Method = http.MethodPut }, http.StatusMethodNotAllowed},
		{"another origin", "origin", func(r *http.Request) {
			r.Method = http.MethodOptions
			r.Header.Set("WebHook-Request-Origin", "evil.example")
		}, http.StatusForbidden},
		{"too large", "larger", func(r *http.Request) { r.ContentLength = 65 }, http.StatusRequestEntityTooLarge},
		{"not JSON", "JSON", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, http.StatusUnsupportedMediaType},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, logs := refusingHandler()
			request := httptest.NewRequest(http.MethodPost, "/webhooks/mkio?access_token=hunter2", strings.NewReader("{}"))
			request.Header.Set("X-Webhook-Secret", "current")
			tt.change(request)
			recorder := httptest.NewRecorder()
			h.ServeHTTP(recorder, request)
			if recorder.Code != tt.status {
				t.Fatalf("status %d, want %d", recorder.Code, tt.status)
			}
			checkRefused(t, h, logs, tt.status, tt.want)
		})
	}
}

// checkRefused checks that exactly one refused request is counted and logged, without its secret.
func checkRefused(t *testing.T, h *ingest.Handler, logs *bytes.Buffer, status int, detail string) {
	t.Helper()
	lines := warnings(logs.String())
	if len(lines) != 1 || !strings.Contains(lines[0], detail) || !strings.Contains(lines[0], "status="+strconv.Itoa(status)) {
		t.Errorf("warnings: %q", lines)
	}
	if strings.Contains(logs.String(), "hunter2") {
		t.Errorf("a secret is in the log: %s", logs)
	}
	if n := refusedCount(t, h, status); n != 1 {
		t.Errorf("%v requests counted with status %d, want 1", n, status)
	}
}

// refusedCount returns how many requests got a status, over all methods.
func refusedCount(t *testing.T, h *ingest.Handler, status int) (n float64) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(h.Collectors()...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "mkio_bridge_webhook_requests_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetName() == "code" && label.GetValue() == strconv.Itoa(status) {
					n += m.GetCounter().GetValue()
				}
			}
		}
	}
	return n
}

// Requests for other paths, and requests that the HTTP server cannot parse, are counted and logged as well.
func TestRequestsOutsideTheWebhookAreCountedAndLogged(t *testing.T) {
	h, logs := refusingHandler()
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodPost, "/prefix/"+strings.Repeat("x", 10_000)+"?access_token=hunter2", strings.NewReader("{}"))
	h.Refuse(recorder, request, http.StatusNotFound, "no such path")
	if recorder.Code != http.StatusNotFound || recorder.Header().Get("Connection") != "close" {
		t.Errorf("status %d, %v", recorder.Code, recorder.Header())
	}
	checkRefused(t, h, logs, http.StatusNotFound, "no such path")
	if len(logs.String()) > 1000 {
		t.Errorf("log line of %d bytes", len(logs.String()))
	}
	logs.Reset()
	h.RefusedByServer("192.0.2.1:1234", http.StatusRequestHeaderFieldsTooLarge)
	checkRefused(t, h, logs, http.StatusRequestHeaderFieldsTooLarge, "192.0.2.1")
}

// Log lines are limited per class of refusal, so that many refusals of one class do not crowd out the few of another.
func TestRefusedRequestsDoNotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, logs := refusingHandler()
		refuse := func(method string, times int) {
			for range times {
				h.Refuse(httptest.NewRecorder(), httptest.NewRequest(method, "/.env", nil), http.StatusNotFound, "no such path")
			}
		}
		const many, limit = 1000, 5
		refuse(http.MethodGet, many)
		if n := len(warnings(logs.String())); n != limit {
			t.Errorf("%d lines for %d refusals, want %d", n, many, limit)
		}
		logs.Reset()
		refuse(http.MethodPost, 1)
		if n := len(warnings(logs.String())); n != 1 {
			t.Errorf("%d lines for the first POST, want 1", n)
		}
		logs.Reset()
		time.Sleep(time.Minute)
		refuse(http.MethodGet, many)
		lines := warnings(logs.String())
		if len(lines) != 1 || !strings.Contains(lines[0], "unlogged=995") {
			t.Errorf("a minute later: %q", lines)
		}
	})
}

// An empty batch tests whether deliveries would be accepted. It is not stored and does not count as a delivery.
func TestAnEmptyBatchIsStoredNowhere(t *testing.T) {
	f := setUp(t, nil)
	for _, body := range []string{"[]", " [\n] "} {
		response := f.post(body, contentType("application/cloudevents-batch+json"))
		detail, _ := io.ReadAll(response.Body)
		if response.StatusCode != http.StatusBadRequest || !strings.Contains(string(detail), ingest.EmptyBatch) {
			t.Errorf("%q: status %d: %s", body, response.StatusCode, detail)
		}
	}
	if got := f.reasons(); len(got) != 0 {
		t.Errorf("unapplied %v", got)
	}
	h, logs := refusingHandler()
	request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("[]"))
	request.Header.Set("X-Webhook-Secret", "current")
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, request)
	if recorder.Code != http.StatusBadRequest || !strings.Contains(logs.String(), "level=INFO") { // the store is not called, or the status would be 503
		t.Errorf("status %d, log %s", recorder.Code, logs)
	}
	for _, c := range h.Collectors() {
		if gauge, ok := c.(prometheus.Gauge); ok && strings.Contains(gauge.Desc().String(), "last_delivery") && testutil.ToFloat64(gauge) != 0 {
			t.Error("an empty batch counts as the last delivery")
		}
	}
}
