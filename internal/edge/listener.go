package edge

import (
	"bytes"
	"container/list"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Config configures a Listener.
type Config struct {
	Slots int         // maximum number of open connections
	TLS   *tls.Config // nil: no TLS
	Log   *slog.Logger

	// TLSFailed is called for each failed TLS handshake, except if the client closes or sends nothing, as port probes do; nil:
	// not called.
	TLSFailed func()
	// Refused is called for each request that net/http itself refuses, without a handler: its header is invalid or too large;
	// nil: not called.
	Refused func(remote string, status int)
}

// A Listener limits the number of open connections; further ones wait until one is closed. Without a limit, a stranger could
// open connections up to the process's open-file limit, and the store could open no files to write to. The connections do
// TLS, if configured, and check the framing of requests.
type Listener struct {
	net.Listener
	c        Config
	warnRate rate.Sometimes // limits warnings about failed TLS handshakes
	slots    chan struct{}  // holds a token for each open connection
	closed   chan struct{}
	once     sync.Once
	idle     idleConns // used by ConnState only
}

// NewListener returns a listener that accepts connections from l, and closes l when it is closed.
func NewListener(l net.Listener, c Config) *Listener {
	return &Listener{Listener: l, c: c, warnRate: rate.Sometimes{Interval: time.Minute}, slots: make(chan struct{}, c.Slots), closed: make(chan struct{})}
}

// Accept waits for a free slot, then for a connection.
func (l *Listener) Accept() (net.Conn, error) {
	if !l.acquireSlot() {
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
		_ = tcp.SetWriteBuffer(sendBuffer)
	}
	return &conn{framedConn: framedConn{Conn: inner}, releaseSlot: sync.OnceFunc(func() { <-l.slots }), refused: l.c.Refused}, nil
}

// acquireSlot takes a slot, for which an idle connection may have to be closed. It returns false if the listener is closed.
func (l *Listener) acquireSlot() bool {
	select {
	case l.slots <- struct{}{}:
		return true
	default:
	}
	l.idle.wait(true)
	defer l.idle.wait(false)
	select {
	case l.slots <- struct{}{}:
		return true
	case <-l.closed:
		return false
	}
}

// Close closes the listener, and ends an Accept that waits for a slot.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// A conn is a connection that holds a slot until it is closed.
type conn struct {
	framedConn
	releaseSlot func()
	idle        *list.Element // in [idleConns], whose lock protects it
	refused     func(remote string, status int)
}

// Write reports the responses that net/http writes without a handler, to headers that are invalid or too large: net/http has
// no other hook for them. They lack the Date header that a handler's response has.
func (c *conn) Write(p []byte) (int, error) {
	if c.refused != nil {
		if status := statusWithoutDate(p); status >= http.StatusBadRequest {
			c.refused(c.RemoteAddr().String(), status)
		}
	}
	return c.Conn.Write(p)
}

// statusWithoutDate returns the status of a response without a Date header; 0 for other data.
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
	defer c.releaseSlot()
	return c.Conn.Close()
}

// sendBuffer is the size of a connection's send buffer in the kernel, which uses twice as much of the container's memory.
const sendBuffer = 128 << 10

// maxSlots limits the connections of a process with a very high open-file limit, or none: a connection takes about 8 KiB of
// memory.
const maxSlots = 1 << 14

// Slots returns the number of connections of a listener that gets a share, 0 to 1, of the process's open-file limit.
func Slots(share float64) int {
	files, limited := openFileLimit()
	if !limited {
		return maxSlots
	}
	return int(max(1, min(maxSlots, share*float64(files)))) // RLIM_INFINITY is a large number
}
