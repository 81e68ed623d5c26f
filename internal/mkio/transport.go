package mkio

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// A Transport is the way to MK.IO over the network. A connection can go silent without an error, when a NAT or a load
// balancer on the way has forgotten it, and over HTTP/2 all requests share one. So connections are probed with pings, and
// when a request times out none of the connections that are open by then is used for another: the next try opens a new one.
// Requests in flight on the former connections may still be answered there.
type Transport struct {
	open func() *http.Transport

	mu      sync.Mutex
	current *http.Transport
}

// Times after which a connection over HTTP/2 is given up. A request on it is lost by then, and is tried again before the
// time of a request that nothing ends earlier.
const (
	pingAfter = 10 * time.Second // without a frame from the peer
	pingTime  = 5 * time.Second  // for the answer to a ping
	writeTime = 5 * time.Second  // without a byte taken by the peer
)

// NewTransport returns a transport that trusts certificates signed by roots; nil: by the system's.
func NewTransport(roots *x509.CertPool) *Transport {
	return newTransport(func() *http.Transport { return openTransport(roots) })
}

func newTransport(open func() *http.Transport) *Transport {
	return &Transport{open: open, current: open()}
}

// openTransport returns a transport without connections.
func openTransport(roots *x509.CertPool) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTime, WriteByteTimeout: writeTime}
	if roots != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return t
}

// RoundTrip makes one request.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	via := t.current
	t.mu.Unlock()
	response, err := via.RoundTrip(r)
	if err != nil {
		t.failed(via, err)
		return nil, err
	}
	response.Body = &watchedBody{response.Body, func(err error) { t.failed(via, err) }}
	return response, nil
}

// failed retires the connections that a request timed out on. Those that it failed on otherwise are closed already.
func (t *Transport) failed(via *http.Transport, err error) {
	timeout, ok := errors.AsType[net.Error](err)
	if !ok || !timeout.Timeout() {
		return
	}
	t.mu.Lock()
	if t.current == via {
		t.current = t.open()
	}
	t.mu.Unlock()
	via.CloseIdleConnections() // those in use are closed when they have been idle for long
}

// CloseIdleConnections is for [http.Client].
func (t *Transport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current.CloseIdleConnections()
}

// A watchedBody reports errors of reading an answer.
type watchedBody struct {
	io.ReadCloser
	failed func(error)
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.failed(err)
	}
	return n, err
}
