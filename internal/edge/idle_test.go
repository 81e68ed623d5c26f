package edge

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// serveSlots serves a handler on a listener with some slots, and returns its address.
func serveSlots(t *testing.T, slots int, handler http.Handler) string {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	l := NewListener(inner, Config{Slots: slots, Log: log})
	server := NewServer(ServerConfig{Handler: handler, Log: log})
	server.ConnState = l.ConnState
	ended := make(chan error, 1)
	go func() { ended <- Serve(server, l) }()
	t.Cleanup(func() {
		server.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return inner.Addr().String()
}

// A client keeps a connection open.
type client struct {
	net.Conn
	responses *bufio.Reader
}

func dial(t *testing.T, addr string) client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return client{c, bufio.NewReader(c)}
}

func (c client) send(t *testing.T, path string) {
	t.Helper()
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
}

// get returns the status of the response; 0 if the connection was closed.
func (c client) get(t *testing.T, path string) int {
	t.Helper()
	c.send(t, path)
	response, err := http.ReadResponse(c.responses, nil)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	return response.StatusCode
}

// However many idle connections there are, the next client is answered: the one that is idle for the longest time is closed. A
// connection with a request in flight is not.
func TestIdleConnectionsGiveUpTheirSlots(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	addr := serveSlots(t, 3, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(begun)
			<-release
		}
	}))
	slow := dial(t, addr)
	slow.send(t, "/slow")
	<-begun
	var idle []client
	for range 20 {
		c := dial(t, addr)
		if status := c.get(t, "/"); status != http.StatusOK {
			t.Fatalf("client %d: status %d", len(idle), status)
		}
		idle = append(idle, c)
	}
	if _, err := idle[0].responses.ReadByte(); err == nil { // waits until it is closed
		t.Error("the first idle connection is open")
	}
	close(release)
	if response, err := http.ReadResponse(slow.responses, nil); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("the request in flight: %v, %v", response, err)
	}
}

// Requests to the reserved paths are answered while others use all slots that they may.
func TestReserve(t *testing.T) {
	const slots = 16
	begun, release := make(chan struct{}), make(chan struct{})
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			begun <- struct{}{}
			<-release
		}
	})
	addr := serveSlots(t, slots, Reserve(slots, []string{"/health"}, handler, func(w http.ResponseWriter, _ *http.Request, status int, detail string) {
		http.Error(w, detail, status)
	}))
	for range slots - slots/reservedPart {
		dial(t, addr).send(t, "/slow")
		<-begun
	}
	for range 2 * slots {
		if status := dial(t, addr).get(t, "/slow"); status != http.StatusTooManyRequests {
			t.Fatalf("another request: status %d", status)
		}
		if status := dial(t, addr).get(t, "/health"); status != http.StatusOK {
			t.Fatalf("health: status %d", status)
		}
	}
	close(release)
}

// Also a listener of one slot serves other requests. A refusal says when to retry.
func TestReserveOfFewSlots(t *testing.T) {
	inside := httptest.NewRecorder()
	var reserved http.Handler
	reserved = Reserve(1, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/outer" {
			reserved.ServeHTTP(inside, httptest.NewRequest(http.MethodGet, "/inner", nil))
		}
		w.WriteHeader(http.StatusNoContent)
	}), func(w http.ResponseWriter, _ *http.Request, status int, _ string) { w.WriteHeader(status) })
	outside := httptest.NewRecorder()
	reserved.ServeHTTP(outside, httptest.NewRequest(http.MethodGet, "/outer", nil))
	if outside.Code != http.StatusNoContent || inside.Code != http.StatusTooManyRequests || strings.TrimSpace(inside.Header().Get("Retry-After")) == "" {
		t.Errorf("status %d, and %d beside it, Retry-After %q", outside.Code, inside.Code, inside.Header().Get("Retry-After"))
	}
}
