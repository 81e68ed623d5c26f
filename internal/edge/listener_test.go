package edge

import (
	"errors"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
)

// pipeListener is a listener of connections without a network.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipeListener) Close() error   { close(p.closed); return nil }
func (p pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func TestConnectionWaitsForASlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slots, clients = 2, 4
		inner := pipeListener{make(chan net.Conn, clients), make(chan struct{})}
		for range clients {
			server, _ := net.Pipe()
			inner.conns <- server
		}
		l := NewListener(inner, Config{Slots: slots, Log: slog.New(slog.DiscardHandler)})
		var accepted []net.Conn
		ended := make(chan error, 1)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					ended <- err
					return
				}
				accepted = append(accepted, c)
			}
		}()
		synctest.Wait()
		if len(accepted) != slots {
			t.Fatalf("%d connections were accepted into %d slots", len(accepted), slots)
		}
		first := accepted[0]
		for range 2 { // a slot is released once
			_ = first.Close()
		}
		synctest.Wait()
		if len(accepted) != slots+1 {
			t.Errorf("%d connections were accepted after one was closed", len(accepted))
		}
		if err := l.Close(); err != nil { // while Accept waits for a slot
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("after it was closed: %v", err)
		}
	})
}

func TestResponsesWithoutADateAreDetected(t *testing.T) {
	for response, want := range map[string]int{
		"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n": 431,
		"HTTP/1.1 400 Bad Request\r\n\r\nDate: x":                                   400,
		"HTTP/1.1 404 Not Found\r\nDate: Tue\r\n\r\n":                               0,
		"HTTP/1.1 40":  0,
		"HTTP/1.1 abc": 0,
		"{}":           0,
	} {
		if got := statusWithoutDate([]byte(response)); got != want {
			t.Errorf("%q: %d, want %d", response, got, want)
		}
	}
}
