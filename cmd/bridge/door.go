package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
)

// A door is a listener that lets in so many connections at a time; the others wait until one leaves. Without it,
// connections that cost a stranger nothing would take every file that the process may open, and the store would have
// none left to write to.
type door struct {
	net.Listener
	tls    *tls.Config // nil: none
	log    *slog.Logger
	warn   rate.Sometimes // of TLS that does not come about
	places chan struct{}
	closed chan struct{}
	once   sync.Once

	tlsFailures prometheus.Counter              // nil: nobody counts them
	unread      func(remote string, status int) // hears of requests that net/http refuses itself; nil: nobody does
}

func newDoor(l net.Listener, config *tls.Config, places int, log *slog.Logger) *door {
	return &door{Listener: l, tls: config, log: log, warn: rate.Sometimes{Interval: time.Minute}, places: make(chan struct{}, places), closed: make(chan struct{})}
}

// Accept waits for a connection and for a place for it.
func (d *door) Accept() (net.Conn, error) {
	select {
	case d.places <- struct{}{}:
	case <-d.closed:
		return nil, net.ErrClosed
	}
	raw, err := d.Listener.Accept()
	if err != nil {
		<-d.places
		return nil, err
	}
	conn := raw
	if d.tls != nil {
		conn = &tlsConn{Conn: tls.Server(conn, d.tls), failed: d.tlsFailed}
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(kernelBuffer)
	}
	return &visitor{framedConn: framedConn{Conn: conn}, leave: sync.OnceFunc(func() { <-d.places }), unread: d.unread}, nil
}

// tlsFailed says why somebody does not come in: MK.IO or a proxy may be among them, when a certificate has ended or is
// another. Strangers can cause it too, so that a line a minute is a warning. Who leaves at once is a probe.
func (d *door) tlsFailed(remote net.Addr, err error) {
	level := slog.LevelDebug
	if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, syscall.ECONNRESET) {
		d.warn.Do(func() { level = slog.LevelWarn })
		if d.tlsFailures != nil {
			d.tlsFailures.Inc()
		}
	}
	d.log.Log(context.Background(), level, "no TLS connection came about", "remote", remote.String(), "error", err)
}

// newTLSFailures counts the connections that get no further than TLS.
func newTLSFailures() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Name: "mkio_bridge_webhook_tls_failures_total",
		Help: "Connections to the webhook listener that were refused within TLS; those that leave at once, as probes do, are not counted.",
	})
}

// Close ends the waiting too.
func (d *door) Close() error {
	d.once.Do(func() { close(d.closed) })
	return d.Listener.Close()
}

// A visitor is a connection that was let in.
type visitor struct {
	framedConn
	leave  func()
	unread func(remote string, status int)
}

// Write notes the answers that net/http gives without a handler, to headers that it cannot read or that are too many. No
// other way tells of them. Those of handlers have a date.
func (v *visitor) Write(p []byte) (int, error) {
	if v.unread != nil {
		if status := statusWithoutDate(p); status >= http.StatusBadRequest {
			v.unread(v.RemoteAddr().String(), status)
		}
	}
	return v.Conn.Write(p)
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

// Close gives the place back.
func (v *visitor) Close() error {
	defer v.leave()
	return v.Conn.Close()
}

// A tlsConn begins TLS at its first read, within the time for a header. net/http does not, because it must be given
// connections that are looked at inside TLS ([framedConn]).
type tlsConn struct {
	*tls.Conn
	failed func(remote net.Addr, err error)
	begun  bool
}

func (c *tlsConn) Read(p []byte) (int, error) {
	if !c.begun {
		c.begun = true
		if err := c.HandshakeContext(context.Background()); err != nil { // every read and write says so again
			c.failed(c.RemoteAddr(), err)
			explainTLS(err)
		}
	}
	return c.Conn.Read(p)
}

// explainTLS answers who speaks HTTP without TLS.
func explainTLS(err error) {
	record, ok := errors.AsType[tls.RecordHeaderError](err)
	if !ok || record.Conn == nil || !bytes.ContainsAny(record.RecordHeader[:1], "CDGHOP") { // what methods begin with
		return
	}
	_, _ = io.WriteString(record.Conn, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nspeak https here\n")
}

// kernelBuffer is for what a visitor has not read yet: the kernel keeps twice as much, of the container's memory.
const kernelBuffer = 128 << 10

// Shares of the files that the process may open; what is left is for the store, NATS and MK.IO.
const (
	publicShare = 0.625
	adminShare  = 0.125
	readerShare = 0.125   // of NATS, at most [broker.MostReaders]
	mostPlaces  = 1 << 14 // a connection takes some eight KiB, and files may have no limit
)

// placesOf is how many connections a share is.
func placesOf(share float64) int {
	files, limited := openFileLimit()
	if !limited {
		return mostPlaces
	}
	return int(max(1, min(mostPlaces, share*float64(files)))) // of no limit at all, too
}
