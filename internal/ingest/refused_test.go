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

// warned returns the lines of warnings about refused requests.
func warned(logs string) (lines []string) {
	for line := range strings.Lines(logs) {
		if strings.Contains(line, "level=WARN") {
			lines = append(lines, line)
		}
	}
	return lines
}

// refusing returns a handler that stores nothing, and its log at the level of a bridge's default.
func refusing() (*ingest.Handler, *bytes.Buffer) {
	var logs bytes.Buffer
	return ingest.New(ingest.Config{
		Observer: failing{}, Unapplied: failing{}, Secrets: func() []string { return []string{"current"} }, MaxBody: 64,
		Log: slog.New(slog.NewTextHandler(&logs, nil)),
	}), &logs
}

// Whoever is refused is counted, and seen at the default level: a wrong secret or address is a delivery that nearly arrived.
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
			h, logs := refusing()
			request := httptest.NewRequest(http.MethodPost, "/webhooks/mkio?access_token=hunter2", strings.NewReader("{}"))
			request.Header.Set("X-Webhook-Secret", "current")
			tt.change(request)
			answer := httptest.NewRecorder()
			h.ServeHTTP(answer, request)
			if answer.Code != tt.status {
				t.Fatalf("status %d, want %d", answer.Code, tt.status)
			}
			checkRefused(t, h, logs, tt.status, tt.want)
		})
	}
}

// checkRefused checks that one request was refused, in the metrics and in the log.
func checkRefused(t *testing.T, h *ingest.Handler, logs *bytes.Buffer, status int, detail string) {
	t.Helper()
	lines := warned(logs.String())
	if len(lines) != 1 || !strings.Contains(lines[0], detail) || !strings.Contains(lines[0], "status="+strconv.Itoa(status)) {
		t.Errorf("the log has %q", lines)
	}
	if strings.Contains(logs.String(), "hunter2") {
		t.Errorf("the log shows a secret: %s", logs)
	}
	if n := refusedCount(t, h, status); n != 1 {
		t.Errorf("%v requests are counted with %d", n, status)
	}
}

// refusedCount is how many requests were answered with a status, whatever their method.
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

// What comes for another address, and what the server cannot read, is counted and logged as well.
func TestWhatIsNoDeliveryIsCountedAndLogged(t *testing.T) {
	h, logs := refusing()
	answer := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodPost, "/prefix/"+strings.Repeat("x", 10_000)+"?access_token=hunter2", strings.NewReader("{}"))
	h.Refuse(answer, request, http.StatusNotFound, "nothing there")
	if answer.Code != http.StatusNotFound || answer.Header().Get("Connection") != "close" {
		t.Errorf("status %d, %v", answer.Code, answer.Header())
	}
	checkRefused(t, h, logs, http.StatusNotFound, "nothing there")
	if len(logs.String()) > 1000 {
		t.Errorf("a line of %d bytes", len(logs.String()))
	}
	logs.Reset()
	h.RefusedUnread("192.0.2.1:1234", http.StatusRequestHeaderFieldsTooLarge)
	checkRefused(t, h, logs, http.StatusRequestHeaderFieldsTooLarge, "192.0.2.1")
}

// A stranger cannot fill the log, nor hide by many requests of one class the few of another.
func TestRefusedRequestsDoNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, logs := refusing()
		refuse := func(method string, times int) {
			for range times {
				h.Refuse(httptest.NewRecorder(), httptest.NewRequest(method, "/.env", nil), http.StatusNotFound, "nothing there")
			}
		}
		const many, atOnce = 1000, 5
		refuse(http.MethodGet, many)
		if n := len(warned(logs.String())); n != atOnce {
			t.Errorf("%d lines of %d refusals, want %d", n, many, atOnce)
		}
		logs.Reset()
		refuse(http.MethodPost, 1)
		if n := len(warned(logs.String())); n != 1 {
			t.Errorf("%d lines of the first POST", n)
		}
		logs.Reset()
		time.Sleep(time.Minute)
		refuse(http.MethodGet, many)
		lines := warned(logs.String())
		if len(lines) != 1 || !strings.Contains(lines[0], "unlogged=995") {
			t.Errorf("a minute later %q", lines)
		}
	})
}

// An empty batch tells whether deliveries would arrive. Nothing of it is stored, and it is no delivery.
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
		t.Errorf("kept %v", got)
	}
	h, logs := refusing()
	request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("[]"))
	request.Header.Set("X-Webhook-Secret", "current")
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, request)
	if answer.Code != http.StatusBadRequest || !strings.Contains(logs.String(), "level=INFO") { // no store is asked, or it would be 503
		t.Errorf("status %d, log %s", answer.Code, logs)
	}
	for _, c := range h.Collectors() {
		if gauge, ok := c.(prometheus.Gauge); ok && strings.Contains(gauge.Desc().String(), "last_delivery") && testutil.ToFloat64(gauge) != 0 {
			t.Error("it counts as the last delivery")
		}
	}
}
