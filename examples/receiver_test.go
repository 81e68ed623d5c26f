package examples_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// A receiver is a webhook that is down, then overloaded, then up; and that refuses one job for good.
type receiver struct {
	t       *testing.T
	addr    string
	refused string // part of the messages that it refuses

	mu   sync.Mutex
	busy int               // how many requests it still turns away
	took map[string]string // messages by their idempotency key
	more chan struct{}     // something came
}

// newReceiver chooses an address at which nobody listens yet.
func newReceiver(t *testing.T, refused string) *receiver {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return &receiver{t: t, addr: addr, refused: refused, took: map[string]string{}, more: make(chan struct{}, 1)}
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (r *receiver) url() string { return "http://" + r.addr + "/services/hunter2" }

// open lets it listen. It turns the next requests away as overloaded.
func (r *receiver) open(busy int) {
	r.t.Helper()
	r.busy = busy
	server := &http.Server{Handler: r, ReadHeaderTimeout: within}
	l := listen(r.t, r.addr)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(l) }()
	r.t.Cleanup(func() { _ = server.Close(); <-ended })
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() {
		select {
		case r.more <- struct{}{}:
		default:
		}
	}()
	var message struct{ Text string }
	key := request.Header.Get("Idempotency-Key")
	switch {
	case r.busy > 0:
		r.busy--
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	case err != nil || json.Unmarshal(body, &message) != nil || message.Text == "" || key == "":
		r.t.Errorf("posted %q with key %q: %v", body, key, err)
		w.WriteHeader(http.StatusInternalServerError)
	case strings.Contains(message.Text, r.refused):
		w.WriteHeader(http.StatusBadRequest)
	default:
		r.took[key] = message.Text
	}
}

// await waits until something is so.
func (r *receiver) await(what string, is func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), within)
	defer cancel()
	for {
		r.mu.Lock()
		so := is()
		r.mu.Unlock()
		if so {
			return
		}
		select {
		case <-r.more:
		case <-ctx.Done():
			r.t.Fatalf("the receiver waits for %s in vain; it took %v", what, r.took)
		}
	}
}
