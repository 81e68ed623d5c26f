package mkio

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A network connects a client and one server by pipes.
type network struct {
	incoming chan net.Conn
	closed   chan struct{}

	mu    sync.Mutex
	links []*clientConn
}

// A clientConn is the client's end of a connection.
type clientConn struct {
	net.Conn
	dead atomic.Bool
}

func (l *clientConn) Read(p []byte) (int, error) {
	for {
		n, err := l.Conn.Read(p)
		if err != nil || !l.dead.Load() {
			return n, err
		}
	}
}

func (l *clientConn) Write(p []byte) (int, error) {
	if l.dead.Load() {
		return len(p), nil
	}
	return l.Conn.Write(p)
}

func newNetwork() *network {
	return &network{incoming: make(chan net.Conn), closed: make(chan struct{})}
}

func (n *network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case n.incoming <- far:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links = append(n.links, &clientConn{Conn: near})
	return n.links[len(n.links)-1], nil
}

// silenceConnections makes all open connections dead, without closing them.
func (n *network) silenceConnections() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.links {
		l.dead.Store(true)
	}
}

// connections returns how many connections were ever opened.
func (n *network) connections() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.links)
}

// Accept implements net.Listener.
func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.incoming:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.links {
		_ = l.Close() // a pipe
	}
	close(n.closed)
	return nil
}

func (n *network) Addr() net.Addr { return &net.UnixAddr{Name: "network", Net: "pipe"} }

// certificate returns a self-signed certificate of mkio.test, and the pool that trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mkio.test"}, DNSNames: []string{"mkio.test"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(1, 0, 0), // virtual time begins in 2000
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// connectionNumber is the context key of a connection's number, counted from 1.
type connectionNumber struct{}

// overNetwork runs a test in virtual time, with a client that reaches MK.IO over a network.
func overNetwork(t *testing.T, protocol string, handler http.HandlerFunc, test func(t *testing.T, c *Client, n *network)) {
	t.Helper()
	pair, roots := certificate(t)
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		server := &http.Server{
			Handler: handler, ReadHeaderTimeout: time.Hour,
			TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{protocol}, MinVersion: tls.VersionTLS12},
		}
		var made atomic.Int64
		server.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, connectionNumber{}, made.Add(1))
		}
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.ServeTLS(n, "", "") }) // until it is closed
		transport := newTransport(func() *http.Transport {
			network := newHTTPTransport(roots)
			network.DialContext, network.Proxy = n.dial, nil
			return network
		})
		c, err := NewClient(ClientConfig{
			BaseURL: "https://mkio.test", Token: func() string { return testToken }, PerMinute: 1000, Transport: transport,
		})
		if err != nil {
			t.Fatal(err)
		}
		test(t, c, n)
		_ = server.Close() // closes the network too
		serving.Wait()
		transport.CloseIdleConnections()
	})
}

func respondWithProject(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, `{"metadata": {"name": "aurora-vod", "id": %q}}`, r.Proto)
}

var protocols = map[string]string{"h2": "HTTP/2.0", "http/1.1": "HTTP/1.1"}

// A NAT or a load balancer forgets a connection without closing it; new connections work.
func TestRequestOnADeadConnectionIsRetriedOnANewOne(t *testing.T) {
	for alpn, protocol := range protocols {
		t.Run(alpn, func(t *testing.T) {
			overNetwork(t, alpn, respondWithProject, func(t *testing.T, c *Client, n *network) {
				t.Helper()
				if p, err := c.Project(t.Context(), Urgent, "aurora-vod"); err != nil || p.ID != protocol {
					t.Fatalf("%+v, %v", p, err)
				}
				n.silenceConnections()
				began := time.Now()
				var requests sync.WaitGroup
				for range 8 {
					requests.Go(func() {
						if _, err := c.Project(t.Context(), Urgent, "aurora-vod"); err != nil || time.Since(began) > 30*time.Second {
							t.Errorf("after %s: %v", time.Since(began), err)
						}
					})
				}
				requests.Wait()
				if alpn == "h2" && n.connections() != 2 {
					t.Errorf("%d connections, want 2", n.connections())
				}
			})
		})
	}
}

// The connection goes dead in the middle of a response.
func TestStalledResponseIsRetriedOnANewConnection(t *testing.T) {
	for alpn := range protocols {
		t.Run(alpn, func(t *testing.T) {
			var requests atomic.Int64
			var half chan struct{} // must be made in virtual time
			handler := func(w http.ResponseWriter, r *http.Request) {
				if requests.Add(1) > 1 {
					respondWithProject(w, r)
					return
				}
				fmt.Fprint(w, `{"metadata"`)
				_ = http.NewResponseController(w).Flush() // the client reads concurrently
				half <- struct{}{}
				<-r.Context().Done()
			}
			overNetwork(t, alpn, handler, func(t *testing.T, c *Client, n *network) {
				t.Helper()
				half = make(chan struct{})
				go func() { <-half; n.silenceConnections() }() // the client has read the first half, or waits for it
				began := time.Now()
				if _, err := c.Project(t.Context(), Urgent, "aurora-vod"); err != nil || time.Since(began) > 30*time.Second {
					t.Errorf("after %s: %v", time.Since(began), err)
				}
			})
		})
	}
}

// A gateway answers pings on a connection whose requests hang.
func TestConnectionThatOnlyAnswersPingsIsNotReused(t *testing.T) {
	for alpn := range protocols {
		t.Run(alpn, func(t *testing.T) {
			var stuck atomic.Int64 // connections up to this number hang
			handler := func(w http.ResponseWriter, r *http.Request) {
				if number, _ := r.Context().Value(connectionNumber{}).(int64); number <= stuck.Load() {
					<-r.Context().Done()
					return
				}
				respondWithProject(w, r)
			}
			overNetwork(t, alpn, handler, func(t *testing.T, c *Client, n *network) {
				t.Helper()
				if _, err := c.Project(t.Context(), Urgent, "aurora-vod"); err != nil {
					t.Fatal(err)
				}
				stuck.Store(int64(n.connections()))
				began := time.Now()
				if _, err := c.Project(t.Context(), Urgent, "aurora-vod"); err != nil || time.Since(began) > 30*time.Second {
					t.Errorf("after %s: %v", time.Since(began), err)
				}
			})
		})
	}
}
