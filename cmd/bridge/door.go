package main

import (
	"crypto/tls"
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
	places chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newDoor(l net.Listener, config *tls.Config, places int) *door {
	return &door{Listener: l, tls: config, places: make(chan struct{}, places), closed: make(chan struct{})}
}

// Accept waits for a connection and for a place for it. TLS begins here and not in net/http, because requests are
// looked at ([framedConn]) as they are inside it; the handshake is made at the first read, within the time for a header.
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
		conn = tls.Server(conn, d.tls)
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

// Shares of the files that the process may open; what is left is for the store, NATS and MK.IO.
const (
	publicShare = 0.75
	adminShare  = 0.125
	mostPlaces  = 1 << 16 // a connection takes some ten KiB, also where files have no limit
)

// placesOf is how many connections a share is.
func placesOf(share float64) int {
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) != nil {
		return mostPlaces
	}
	return max(1, min(mostPlaces, int(share*float64(files.Cur))))
}
