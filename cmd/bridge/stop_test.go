package main

import (
	"bytes"
	"net/http"
	"testing"

	"mkio-bridge/internal/bridgetest"
)

// A load balancer sends deliveries to a bridge that stops until it has asked whether it is ready: they are taken, and
// their connections end with them.
func TestABridgeThatStopsTakesDeliveriesUntilThatIsKnown(t *testing.T) {
	b, addr, stop := serveForTest(t, nil)
	routes := b.adminRoutes(true)
	if answer := ask(routes, http.MethodGet, "/readyz", nil); answer.Code != http.StatusOK {
		t.Fatalf("/readyz is %d: %s", answer.Code, answer.Body)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	<-b.stopping.Done()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+webhookPath, bytes.NewReader(bridgetest.Delivery(t, "streaming-locator-created.json")))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Webhook-Secret", demoSecret)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent || !answer.Close {
		t.Errorf("status %d, the connection ends: %t", answer.StatusCode, answer.Close)
	}
	if answer := ask(routes, http.MethodGet, "/readyz", nil); answer.Code != http.StatusServiceUnavailable {
		t.Errorf("/readyz of a bridge that stops is %d", answer.Code)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := http.DefaultClient.Get("http://" + addr); err == nil {
		t.Error("it still listens")
	}
}
