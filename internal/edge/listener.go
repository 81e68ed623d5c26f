package edge

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Config is what a listener needs.
type Config struct {
	Slots int         // connections that are open at a time
	TLS   *tls.Config // nil: none
	Log   *slog.Logger

	// TLSFailed is called for each connection whose TLS handshake fails, except those that leave or stay silent, as probes
	// do; nil: nobody counts them.
	TLSFailed func()
	// Unread is called for each request that net/http itself refuses, without a handler: its header cannot be read, or is
	// too large; nil: nobody counts them.
	Unread func(remote string, status int)
}

// A Listener has a limited number of connections open at a time; the others wait until one is closed. Without a limit, a
// stranger could open connections until the process may open no more files, and the store would have none left to write to.
// Its connections do TLS, where it is configured, and check the framing of requests.
type Listener struct {
	net.Listener
	c      Config
	warn   rate.Sometimes // how often failing TLS is a warning
	slots  chan struct{}  // holds a token for each open connection
	closed chan struct{}
	once   sync.Once
}

// Limit returns a listener that accepts the connections of another, and closes that one when it is closed.
func NewListener(l net.Listener, c Config) *Listener {
	return &Listener{Listener: l, c: c, warn: rate.Sometimes{Interval: time.Minute}, slots: make(chan struct{}, c.Slots), closed: make(chan struct{})}
}

// Accept waits for a free slot and for a connection.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	raw, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	inner := raw
	if l.c.TLS != nil {
		inner = &tlsConn{Conn: tls.Server(raw, l.c.TLS), failed: l.tlsFailed}
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(kernelBuffer)
	}
	return &conn{framedConn: framedConn{Conn: inner}, release: sync.OnceFunc(func() { <-l.slots }), unread: l.c.Unread}, nil
}

// Close closes the listener, and ends an Accept that waits for a slot.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// A conn is a connection that holds a slot until it is closed.
type conn struct {
	framedConn
	release func()
	unread  func(remote string, status int)
}

// Write reports the answers that net/http gives without a handler, to headers that it cannot read or that are too large. It
// has no other hook for them. They are told by what they lack: an answer of a handler has a Date header.
func (c *conn) Write(p []byte) (int, error) {
	if c.unread != nil {
		if status := statusWithoutDate(p); status >= http.StatusBadRequest {
			c.unread(c.RemoteAddr().String(), status)
		}
	}
	return c.Conn.Write(p)
}

// statusWithoutDate is the status of an answer that has no Date header; 0 for all else that is written.
func statusWithoutDate(p []byte) int {
	rest, begins := bytes.CutPrefix(p, []byte("HTTP/1.1 "))
	if !begins || len(rest) < 3 {
		return 0
	}
	header, _, _ := bytes.Cut(rest, []byte("\r\n\r\n"))
	if bytes.Contains(header, []byte("\r\nDate: ")) {
		return 0
	}
	status, err := strconv.Atoi(string(rest[:3]))
	if err != nil {
		return 0
	}
	return status
}

// Close releases the slot.
func (c *conn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// kernelBuffer is the send buffer of a connection, for what a client has not read yet. The kernel takes twice as much of the
// container's memory.
const kernelBuffer = 128 << 10

// maxSlots bounds the connections of a process that may open any number of files, or very many: a connection takes some
// eight KiB of memory.
const maxSlots = 1 << 14

// Slots is how many connections a listener may have open that gets a share of the files which the process may open.
func Slots(share float64) int {
	files, limited := openFileLimit()
	if !limited {
		return maxSlots
	}
	return int(max(1, min(maxSlots, share*float64(files)))) // RLIM_INFINITY is a number like any other here
}
