package admin

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A proxy that buffers an answer would hold events back until its buffer is full.
func TestServerSentEventsAskProxiesNotToBufferThem(t *testing.T) {
	server := httptest.NewServer(filled(t).routes())
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

// A stream on which nothing happens says that it is there, in the midst of nothing else.
func TestAStreamIsKeptAlive(t *testing.T) {
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
	said := make([]byte, len(":\n\n:\n\n"))
	if _, err := io.ReadFull(response.Body, said); err != nil || string(said) != ":\n\n:\n\n" {
		t.Errorf("it said %q, %v", said, err)
	}
}
