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
	Slots int         // connections that it takes at a time
	TLS   *tls.Config // nil: none
	Log   *slog.Logger

	// TLSFailed is called for each connection that fails within TLS, but for those that leave at once, as probes do; nil:
	// nobody counts them.
	TLSFailed func()
	// Unread is called for each request that net/http refuses without a handler; nil: nobody counts them.
	Unread func(remote string, status int)
}

// A Listener takes so many connections at a time; the others wait until one is closed. Without a limit, connections that
// cost a stranger nothing would take every file that the process may open, and the store would have none left to write to.
type Listener struct {
	net.Listener
	c      Config
	warn   rate.Sometimes // of TLS that fails
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

// Limit returns a listener that takes its connections from another, which it closes with itself.
func Limit(l net.Listener, c Config) *Listener {
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

// Close ends the waiting for a slot too.
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

// Write notices the answers that net/http gives without a handler, to headers that it cannot read or that are too large.
// Nothing else tells of them. The answers of handlers have a date.
func (c *conn) Write(p []byte) (int, error) {
	if c.unread != nil {
		if status := statusWithoutDate(p); status >= http.StatusBadRequest {
			c.unread(c.RemoteAddr().String(), status)
		}
	}
	return c.Conn.Write(p)
}

// statusWithoutDate is the status of an answer that has no date; 0 for all else that is written.
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

// kernelBuffer is for what a client has not read yet: the kernel keeps twice as much, of the container's memory.
const kernelBuffer = 128 << 10

// mostSlots is for processes that may open any number of files: a connection takes some eight KiB.
const mostSlots = 1 << 14

// Slots is how many connections a share of the files is that the process may open.
func Slots(share float64) int {
	files, limited := openFileLimit()
	if !limited {
		return mostSlots
	}
	return int(max(1, min(mostSlots, share*float64(files)))) // of no limit at all, too
}
