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

// A Transport is the HTTP transport to MK.IO. A connection can go dead without an error, when a NAT or a load balancer has
// forgotten it, and over HTTP/2 all requests share one. So connections are probed with pings, and when a request times out,
// no connection that is open by then is reused: the next try opens a new one. Requests in flight on the old connections may
// still get their responses there.
type Transport struct {
	open func() *http.Transport

	mu      sync.Mutex
	current *http.Transport
}

// Timeouts of a connection over HTTP/2. They are shorter than requestTimeout, so that a request on a dead connection is
// retried before it times out.
const (
	pingInterval = 10 * time.Second // without a frame from the peer
	pingTimeout  = 5 * time.Second  // for the response to a ping
	writeTimeout = 5 * time.Second  // without a byte accepted by the peer
)

// NewTransport returns a transport that trusts certificates signed by roots; nil: by the system's roots.
func NewTransport(roots *x509.CertPool) *Transport {
	return newTransport(func() *http.Transport { return newHTTPTransport(roots) })
}

func newTransport(open func() *http.Transport) *Transport {
	return &Transport{open: open, current: open()}
}

// newHTTPTransport returns a transport without connections.
func newHTTPTransport(roots *x509.CertPool) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingInterval, PingTimeout: pingTimeout, WriteByteTimeout: writeTimeout}
	if roots != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return t
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	transport := t.current
	t.mu.Unlock()
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.retireOnTimeout(transport, err)
		return nil, err
	}
	response.Body = &watchedBody{response.Body, func(err error) { t.retireOnTimeout(transport, err) }}
	return response, nil
}

// retireOnTimeout retires the connections of a transport after a timeout. After other errors they are closed already.
func (t *Transport) retireOnTimeout(transport *http.Transport, err error) {
	timeout, ok := errors.AsType[net.Error](err)
	if !ok || !timeout.Timeout() {
		return
	}
	t.mu.Lock()
	if t.current == transport {
		t.current = t.open()
	}
	t.mu.Unlock()
	transport.CloseIdleConnections() // those in use close when idle
}

// CloseIdleConnections is called by [http.Client].
func (t *Transport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current.CloseIdleConnections()
}

// A watchedBody reports errors of reading a response.
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
