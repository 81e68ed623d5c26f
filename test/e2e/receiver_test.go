//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
)

// A receiver is a webhook receiver that is down, then overloaded, then up. It rejects one job permanently.
type receiver struct {
	t       *testing.T
	addr    string
	refused string // messages that contain it are rejected

	mu       sync.Mutex
	busy     int               // how many requests to refuse as overloaded
	messages map[string]string // accepted, by their idempotency key
}

// newReceiver returns a receiver that does not listen yet.
func newReceiver(t *testing.T, refused string) *receiver {
	t.Helper()
	return &receiver{t: t, addr: bridgetest.FreeAddress(t), refused: refused, messages: map[string]string{}}
}

func (r *receiver) url() string { return "http://" + r.addr + "/services/hunter2" }

// open starts to listen. It refuses the first busy requests as overloaded.
func (r *receiver) open(busy int) {
	r.t.Helper()
	r.busy = busy
	l, err := (&net.ListenConfig{}).Listen(r.t.Context(), "tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	server := &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(l) }()
	r.t.Cleanup(func() { _ = server.Close(); <-ended })
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	var message struct {
		Text string
		Data struct { // of a CloudEvent
			Kind, Project, State string
			Path                 []string
		}
	}
	key := request.Header.Get("Idempotency-Key")
	switch {
	case r.busy > 0:
		r.busy--
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	case err != nil || json.Unmarshal(body, &message) != nil || message.Text == "" && message.Data.Kind == "" || key == "":
		r.t.Errorf("posted %q with key %q: %v", body, key, err)
		w.WriteHeader(http.StatusInternalServerError)
	case strings.Contains(message.Text, r.refused), slices.Contains(message.Data.Path, r.refused):
		w.WriteHeader(http.StatusBadRequest)
	default:
		if d := message.Data; d.Kind != "" {
			message.Text = fmt.Sprintf("%s %s/%s is %s", d.Kind, d.Project, strings.Join(d.Path, "/"), d.State)
		}
		r.messages[key] = message.Text
	}
}

// state returns how many requests it will still refuse as overloaded, and the accepted messages by their idempotency key.
func (r *receiver) state() (busy int, messages map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.busy, maps.Clone(r.messages)
}
