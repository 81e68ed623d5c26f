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

// A forgetful way leads to an address. When it forgets, the connections that are open go silent for good and stay open; new
// ones are carried.
type forgetfulWay struct {
	net.Listener
	to string

	mu        sync.Mutex
	forgotten chan struct{} // closed when those that are open by now are forgotten
	conns     []net.Conn
}

func newForgetfulWay(t *testing.T, to string) *forgetfulWay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	way := &forgetfulWay{Listener: l, to: to, forgotten: make(chan struct{})}
	var carrying sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		way.forget()
		way.closeAll()
		carrying.Wait()
	})
	carrying.Go(func() {
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
			forgotten := way.keep(near, far)
			carrying.Go(func() { carry(near, far, forgotten) })
			carrying.Go(func() { carry(far, near, forgotten) })
		}
	})
	return way
}

func (f *forgetfulWay) keep(conns ...net.Conn) (forgotten <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns = append(f.conns, conns...)
	return f.forgotten
}

func (f *forgetfulWay) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.forgotten)
	f.forgotten = make(chan struct{})
}

func (f *forgetfulWay) closeAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		_ = c.Close()
	}
}

// carry copies until one end closes, or the connection is forgotten: then nothing is read any more.
func carry(from, to net.Conn, forgotten <-chan struct{}) {
	chunk := make([]byte, 32<<10)
	for {
		n, err := from.Read(chunk)
		select {
		case <-forgotten:
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

// lostWithin is how long a lost connection may hold up what needs it.
const lostWithin = 30 * time.Second

func TestASilentConnectionToNATSHoldsUpDeliveriesForHalfAMinute(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATS(t, "")
	way := newForgetfulWay(t, strings.TrimPrefix(server.URL, "nats://"))
	b := bridgetest.StartBridge(t, "BRIDGE_NATS_URL=nats://"+way.Addr().String())
	mustDeliver(t, b, jobStarted(t, "before"))
	way.forget()
	began := time.Now()
	bridgetest.Eventually(t, "a delivery is stored", func() bool {
		answer, err := b.Post(jobStarted(t, "after"))
		return err == nil && answer.Status == http.StatusNoContent
	})
	if took := time.Since(began); took > lostWithin {
		t.Errorf("no delivery was stored for %s", took)
	}
	b.StopGracefully()
}

// Over HTTP/2 all requests share a connection, and another is made only when that one is given up.
func TestASilentConnectionToMKIOHoldsUpPollingForHalfAMinute(t *testing.T) {
	t.Parallel()
	var made, inUse atomic.Int64 // connections, and the number of the one that was last asked over
	type number struct{}
	api := mkiofake.New(mkiofake.Config{Token: token, Projects: []string{mkiofake.VOD}, ReadLimit: -1})
	fake := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := r.Context().Value(number{}).(int64)
		inUse.Store(n)
		api.ServeHTTP(w, r)
	}))
	fake.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, number{}, made.Add(1))
	}
	fake.EnableHTTP2 = true
	fake.StartTLS()
	defer fake.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: fake.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	way := newForgetfulWay(t, fake.Listener.Addr().String())
	b := bridgetest.StartBridge(t, "BRIDGE_MKIO_URL=https://"+way.Addr().String(), "BRIDGE_MKIO_CA="+authority,
		"BRIDGE_MKIO_TOKEN="+token, "BRIDGE_POLL_SWEEP=1s", "BRIDGE_POLL_ACTIVE=1s")
	bridgetest.Eventually(t, "MK.IO is polled", func() bool { return inUse.Load() == 1 })
	way.forget()
	began := time.Now()
	bridgetest.Eventually(t, "MK.IO is polled over another connection", func() bool { return inUse.Load() > 1 })
	if took := time.Since(began); took > lostWithin {
		t.Errorf("MK.IO was not asked for %s", took)
	}
	b.AwaitLog("MK.IO responds again")
	b.StopGracefully()
}

// Until a connection is idle for longer than the setting says, it takes another delivery.
func TestIdleConnectionsStayOpenAsLongAsTheSettingSays(t *testing.T) {
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
	answered := time.Now()
	if answer := bridgetest.ReadToEnd(t, conn); bridgetest.StatusOf(answer) != http.StatusNoContent {
		t.Errorf("answer %q", answer)
	}
	if idle := time.Since(answered); idle < 3*time.Second || idle > 30*time.Second {
		t.Errorf("the connection was closed after %s", idle)
	}
	b.StopGracefully()
}
