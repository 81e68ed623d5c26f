package main

import (
	"bytes"
	"net/http"
	"testing"

	"mkio-bridge/internal/bridgetest"
)

// A load balancer sends deliveries to a stopping bridge until its next readiness probe: the bridge accepts them, and closes
// their connections.
func TestLameDuckBridgeAcceptsDeliveries(t *testing.T) {
	b, addr, stop := serveForTest(t, nil)
	routes := b.adminRoutes(true)
	if response := serveRequest(routes, http.MethodGet, "/readyz", nil); response.Code != http.StatusOK {
		t.Fatalf("/readyz is %d: %s", response.Code, response.Body)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	<-b.stopping.Done()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+webhookPath, bytes.NewReader(bridgetest.Delivery(t, "streaming-locator-created.json")))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Webhook-Secret", demoSecret)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusNoContent || !response.Close {
		t.Errorf("status %d, the connection ends: %t", response.StatusCode, response.Close)
	}
	if response := serveRequest(routes, http.MethodGet, "/readyz", nil); response.Code != http.StatusServiceUnavailable {
		t.Errorf("/readyz of a bridge that stops is %d", response.Code)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := http.DefaultClient.Get("http://" + addr); err == nil {
		t.Error("the stopped bridge still listens")
	}
}
