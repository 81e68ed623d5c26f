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

// A network is all that lies between a client and one server, without anything real.
type network struct {
	incoming chan net.Conn
	closed   chan struct{}

	mu    sync.Mutex
	links []*link
}

// A link is the client's end of a connection.
type link struct {
	net.Conn
	dead atomic.Bool
}

func (l *link) Read(p []byte) (int, error) {
	for {
		n, err := l.Conn.Read(p)
		if err != nil || !l.dead.Load() {
			return n, err
		}
	}
}

func (l *link) Write(p []byte) (int, error) {
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
	n.links = append(n.links, &link{Conn: near})
	return n.links[len(n.links)-1], nil
}

// silence makes all connections silent for good that are open by now, without closing them.
func (n *network) silence() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.links {
		l.dead.Store(true)
	}
}

// connections is how many were ever made.
func (n *network) connections() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.links)
}

// Accept makes it the server's listener.
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

// certificate returns one of mkio.test, which signed itself, and the pool that trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mkio.test"}, DNSNames: []string{"mkio.test"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(1, 0, 0), // a bubble begins in 2000
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

// connectionNumber is the key of a connection's number, from 1, in its requests' contexts.
type connectionNumber struct{}

// overNetwork runs a test in a bubble, with a client whose only way to MK.IO is a network.
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
			network := openTransport(roots)
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
		_ = server.Close() // the network with it
		serving.Wait()
		transport.CloseIdleConnections()
	})
}

func answerProject(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, `{"metadata": {"name": "aurora-vod", "id": %q}}`, r.Proto)
}

var protocols = map[string]string{"h2": "HTTP/2.0", "http/1.1": "HTTP/1.1"}

// A NAT or a load balancer forgets a connection: nobody is told, and new connections work.
func TestARequestOnASilentConnectionIsRetriedOnANewOne(t *testing.T) {
	for alpn, protocol := range protocols {
		t.Run(alpn, func(t *testing.T) {
			overNetwork(t, alpn, answerProject, func(t *testing.T, c *Client, n *network) {
				t.Helper()
				if p, err := c.Project(t.Context(), Urgent, "aurora-vod"); err != nil || p.ID != protocol {
					t.Fatalf("%+v, %v", p, err)
				}
				n.silence()
				began := time.Now()
				var asking sync.WaitGroup
				for range 8 {
					asking.Go(func() {
						if _, err := c.Project(t.Context(), Urgent, "aurora-vod"); err != nil || time.Since(began) > 30*time.Second {
							t.Errorf("after %s: %v", time.Since(began), err)
						}
					})
				}
				asking.Wait()
				if alpn == "h2" && n.connections() != 2 {
					t.Errorf("%d connections were made", n.connections())
				}
			})
		})
	}
}

// The connection goes silent in the middle of an answer.
func TestAnAnswerThatStallsIsAskedForOnANewConnection(t *testing.T) {
	for alpn := range protocols {
		t.Run(alpn, func(t *testing.T) {
			var asked atomic.Int64
			var half chan struct{} // is of the bubble
			handler := func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) > 1 {
					answerProject(w, r)
					return
				}
				fmt.Fprint(w, `{"metadata"`)
				_ = http.NewResponseController(w).Flush() // the reader is there
				half <- struct{}{}
				<-r.Context().Done()
			}
			overNetwork(t, alpn, handler, func(t *testing.T, c *Client, n *network) {
				t.Helper()
				half = make(chan struct{})
				go func() { <-half; n.silence() }() // the client has read the half by then, or waits for it in vain
				began := time.Now()
				if _, err := c.Project(t.Context(), Urgent, "aurora-vod"); err != nil || time.Since(began) > 30*time.Second {
					t.Errorf("after %s: %v", time.Since(began), err)
				}
			})
		})
	}
}

// What stands before MK.IO answers pings, and has lost MK.IO behind one of its connections.
func TestAConnectionThatAnswersPingsAloneIsNotUsedAgain(t *testing.T) {
	for alpn := range protocols {
		t.Run(alpn, func(t *testing.T) {
			var stuck atomic.Int64 // connections that are, in the order of their making
			handler := func(w http.ResponseWriter, r *http.Request) {
				if number, _ := r.Context().Value(connectionNumber{}).(int64); number <= stuck.Load() {
					<-r.Context().Done()
					return
				}
				answerProject(w, r)
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
