package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"syscall"
)

// A door is a listener that lets in so many connections at a time; the others wait until one leaves. Without it,
// connections that cost a stranger nothing would take every file that the process may open, and the store would have
// none left to write to.
type door struct {
	net.Listener
	tls    *tls.Config // nil: none
	log    *slog.Logger
	places chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newDoor(l net.Listener, config *tls.Config, places int, log *slog.Logger) *door {
	return &door{Listener: l, tls: config, log: log, places: make(chan struct{}, places), closed: make(chan struct{})}
}

// Accept waits for a connection and for a place for it.
func (d *door) Accept() (net.Conn, error) {
	select {
	case d.places <- struct{}{}:
	case <-d.closed:
		return nil, net.ErrClosed
	}
	conn, err := d.Listener.Accept()
	if err != nil {
		<-d.places
		return nil, err
	}
	if d.tls != nil {
		conn = &tlsConn{Conn: tls.Server(conn, d.tls), log: d.log}
	}
	return &visitor{framedConn: framedConn{Conn: conn}, leave: sync.OnceFunc(func() { <-d.places })}, nil
}

// Close ends the waiting too.
func (d *door) Close() error {
	d.once.Do(func() { close(d.closed) })
	return d.Listener.Close()
}

// A visitor is a connection that was let in.
type visitor struct {
	framedConn
	leave func()
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
	log   *slog.Logger
	begun bool
}

func (c *tlsConn) Read(p []byte) (int, error) {
	if !c.begun {
		c.begun = true
		if err := c.HandshakeContext(context.Background()); err != nil { // every read and write says so again
			c.log.Debug("no TLS connection came about", "remote", c.RemoteAddr().String(), "error", err)
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

// Shares of the files that the process may open; what is left is for the store, NATS and MK.IO.
const (
	publicShare = 0.75
	adminShare  = 0.125
	mostPlaces  = 1 << 14 // a connection takes some eight KiB, and files may have no limit
)

// placesOf is how many connections a share is.
func placesOf(share float64) int {
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) != nil {
		return mostPlaces
	}
	return int(max(1, min(mostPlaces, share*float64(files.Cur)))) // of no limit at all, too
}
