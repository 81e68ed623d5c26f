package ingest_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/ingest"
	"mkio-bridge/internal/mkio"
)

// Requests and bytes count as in flight until the response; a request with a wrong secret never counts as a delivery.
func TestInFlightMetrics(t *testing.T) {
	w := blockingObserver{entered: make(chan struct{}), release: make(chan struct{})}
	h := ingest.New(ingest.Config{
		Observer: w, Decoder: mkio.Decoder{}, Secrets: func() []string { return []string{"current"} }, MaxBody: 64 << 10, Log: slog.New(slog.DiscardHandler),
	})
	body := delivery("1", "c", "Running", 1)
	post := func(secret string) {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		request.Header.Set("X-Webhook-Secret", secret)
		h.ServeHTTP(httptest.NewRecorder(), request)
	}
	gauges := func() (requests, bytes, last float64) {
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(h.Collectors()...)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		values := map[string]float64{}
		for _, family := range families {
			values[family.GetName()] = family.GetMetric()[0].GetGauge().GetValue()
		}
		return values["mkio_bridge_webhook_requests_in_flight"], values["mkio_bridge_webhook_in_flight_bytes"], values["mkio_bridge_webhook_last_delivery_timestamp_seconds"]
	}
	post("wrong")
	if requests, bytes, last := gauges(); requests != 0 || bytes != 0 || last != 0 {
		t.Errorf("after a wrong secret: %.0f requests and %.0f bytes in flight, last delivery at %.0f", requests, bytes, last)
	}
	began := time.Now()
	done := make(chan struct{})
	go func() { defer close(done); post("current") }()
	<-w.entered
	if requests, bytes, last := gauges(); requests != 1 || bytes < float64(len(body)) || last < float64(began.UnixNano())/1e9-1 {
		t.Errorf("%.0f requests and %.0f bytes in flight, last delivery at %.0f", requests, bytes, last)
	}
	close(w.release)
	<-done
	if requests, bytes, _ := gauges(); requests != 0 || bytes != 0 {
		t.Errorf("after the response: %.0f requests and %.0f bytes in flight", requests, bytes)
	}
}
