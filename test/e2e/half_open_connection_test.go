//go:build e2e

package e2e

import (
	"context"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/mkio/mkiofake"
)

// A blackholeProxy is a TCP proxy to one address. blackhole makes the open connections half-open: they stay open and carry
// nothing any more. New connections are forwarded.
type blackholeProxy struct {
	net.Listener
	to string

	mu         sync.Mutex
	blackholed chan struct{} // closed when the connections opened before are blackholed
	conns      []net.Conn
}

func newBlackholeProxy(t *testing.T, to string) *blackholeProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	proxy := &blackholeProxy{Listener: l, to: to, blackholed: make(chan struct{})}
	var forwarding sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		proxy.blackhole()
		proxy.closeAll()
		forwarding.Wait()
	})
	forwarding.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			blackholed := proxy.track(near, far)
			forwarding.Go(func() { forward(near, far, blackholed) })
			forwarding.Go(func() { forward(far, near, blackholed) })
		}
	})
	return proxy
}

func (p *blackholeProxy) track(conns ...net.Conn) (blackholed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, conns...)
	return p.blackholed
}

func (p *blackholeProxy) blackhole() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.blackholed)
	p.blackholed = make(chan struct{})
}

func (p *blackholeProxy) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
}

// forward copies until one end closes or the connection is blackholed.
func forward(from, to net.Conn, blackholed <-chan struct{}) {
	chunk := make([]byte, 32<<10)
	for {
		n, err := from.Read(chunk)
		select {
		case <-blackholed:
			return
		default:
		}
		if _, failed := to.Write(chunk[:n]); failed != nil || err != nil {
			_ = from.Close()
			_ = to.Close()
			return
		}
	}
}

// maxDelay is how long a half-open connection may delay deliveries or polling.
const maxDelay = 30 * time.Second

func TestHalfOpenNATSConnectionDelaysDeliveriesAtMost30s(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATS(t, "")
	proxy := newBlackholeProxy(t, strings.TrimPrefix(server.URL, "nats://"))
	b := bridgetest.StartBridge(t, "BRIDGE_NATS_URL=nats://"+proxy.Addr().String())
	mustDeliver(t, b, jobStarted(t, "before"))
	proxy.blackhole()
	began := time.Now()
	bridgetest.Eventually(t, "a delivery is stored", func() bool {
		response, err := b.Post(jobStarted(t, "after"))
		return err == nil && response.Status == http.StatusNoContent
	})
	if took := time.Since(began); took > maxDelay {
		t.Errorf("no delivery was stored for %s", took)
	}
	b.StopGracefully()
}

// Over HTTP/2 all requests share one connection, and the client opens another only after it gave up the first.
func TestHalfOpenMKIOConnectionDelaysPollingAtMost30s(t *testing.T) {
	t.Parallel()
	var opened, inUse atomic.Int64 // connections opened, and the number of the one with the last request
	type number struct{}
	api := mkiofake.New(mkiofake.Config{Token: token, Projects: []string{mkiofake.VOD}, ReadLimit: -1})
	fake := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := r.Context().Value(number{}).(int64)
		inUse.Store(n)
		api.ServeHTTP(w, r)
	}))
	fake.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, number{}, opened.Add(1))
	}
	fake.EnableHTTP2 = true
	fake.StartTLS()
	defer fake.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: fake.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	proxy := newBlackholeProxy(t, fake.Listener.Addr().String())
	b := bridgetest.StartBridge(t, "BRIDGE_MKIO_URL=https://"+proxy.Addr().String(), "BRIDGE_MKIO_CA="+authority,
		"BRIDGE_MKIO_TOKEN="+token, "BRIDGE_POLL_SWEEP=1s", "BRIDGE_POLL_ACTIVE=1s")
	bridgetest.Eventually(t, "MK.IO is polled", func() bool { return inUse.Load() == 1 })
	proxy.blackhole()
	began := time.Now()
	bridgetest.Eventually(t, "MK.IO is polled over another connection", func() bool { return inUse.Load() > 1 })
	if took := time.Since(began); took > maxDelay {
		t.Errorf("MK.IO was not polled for %s", took)
	}
	b.AwaitLog("MK.IO responds again")
	b.StopGracefully()
}

// The bridge closes a connection that is idle for BRIDGE_IDLE_TIMEOUT, and not before.
func TestIdleConnectionsCloseAfterIdleTimeout(t *testing.T) {
	t.Parallel()
	b := bridgetest.StartBridge(t, "BRIDGE_IDLE_TIMEOUT=3s")
	conn, err := net.Dial("tcp", b.WebhookAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := string(jobStarted(t, "idle"))
	request := "POST " + webhookPath + " HTTP/1.1\r\nHost: bridge\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	sent := time.Now()
	if response := bridgetest.ReadToEnd(t, conn); bridgetest.StatusOf(response) != http.StatusNoContent {
		t.Errorf("response %q", response)
	}
	if idle := time.Since(sent); idle < 3*time.Second || idle > 30*time.Second {
		t.Errorf("the connection was closed after %s", idle)
	}
	b.StopGracefully()
}
