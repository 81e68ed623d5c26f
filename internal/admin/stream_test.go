package admin

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A proxy that buffers the response would delay events until its buffer is full.
func TestEventStreamDisablesProxyBuffering(t *testing.T) {
	server := httptest.NewServer(fixtureWithEvents(t).routes())
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

// A stream without events sends comments, so that proxies do not close it as idle.
func TestStreamKeepAlive(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		stream := eventStream{w: w}
		_ = stream.keepAlive(ctx, time.Millisecond)
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
	output := make([]byte, len(":\n\n:\n\n"))
	if _, err := io.ReadFull(response.Body, output); err != nil || string(output) != ":\n\n:\n\n" {
		t.Errorf("the stream has %q, %v", output, err)
	}
}
