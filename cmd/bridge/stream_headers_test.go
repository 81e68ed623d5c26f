package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A proxy that buffers an answer would hold events back until its buffer is full.
func TestServerSentEventsAskProxiesNotToBufferThem(t *testing.T) {
	server := httptest.NewServer(openForTest(t).adminRoutes(true))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("X-Accel-Buffering"); got != "no" {
		t.Errorf("X-Accel-Buffering %q", got)
	}
}
