//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
)

// smallMemory is the chart's GOMEMLIMIT: nine tenths of 512 MiB.
const smallMemory = "GOMEMLIMIT=460MiB"

// chartMemory is the chart's memory limit in MiB.
const chartMemory = 512

// share returns the rate of deliveries beside readers of a sort, as a share of the undisturbed rate, which it measures
// before and after.
func share(t *testing.T, l *load, sort, addr string, readers int, during time.Duration) float64 {
	t.Helper()
	before := l.during(2 * time.Second)
	stop := startReaders(t, sort, addr, readers)
	beside := l.during(during)
	stop()
	if failed := l.failed.Load(); failed > 0 {
		t.Errorf("%d deliveries failed", failed)
	}
	after := l.during(2 * time.Second)
	ratio := 2 * beside / (before + after)
	t.Logf("%s: %.0f deliveries per second before, %.0f beside %d readers, %.0f after: share %.2f; peak memory %d MiB", sort, before, beside, readers, after, ratio, peakMemory(t, l.to.PID()))
	return ratio
}

// 200 stalled readers of a log of about 150 MB: the bridge stays within the chart's memory limit and keeps most of its rate.
func TestStalledReadersAreBounded(t *testing.T) {
	p := bridgetest.StartBridge(t, secretEnv, smallMemory, "BRIDGE_SYNC=2s")
	l := newLoad(t, p, 4000)
	l.count(20_000)
	if got := share(t, l, "stalled", p.NATS, 200, 8*time.Second); got < 0.4 { // two thirds on an idle machine
		t.Errorf("the rate falls to %.2f", got)
	}
	if peak := peakMemory(t, p.PID()); peak > chartMemory {
		t.Errorf("the bridge used %d MiB", peak)
	}
	p.StopGracefully()
}

func TestSoakGetFloodDoesNotStarveDeliveries(t *testing.T) {
	p := bridgetest.StartBridge(t, secretEnv, "BRIDGE_SYNC=2s")
	l := newLoad(t, p, 1000)
	l.count(8_000)
	if got := share(t, l, "flood", p.NATS, 4, 4*time.Second); got < 0.35 { // half on an idle machine
		t.Errorf("the rate falls to %.2f", got)
	}
	p.StopGracefully()
}

func TestSoakSlowV1ReadersAreBounded(t *testing.T) {
	p := bridgetest.StartBridge(t, secretEnv, smallMemory, "BRIDGE_SYNC=2s")
	l := newLoad(t, p, 4000)
	l.count(10_000)
	if got := share(t, l, "stalled-v1", p.Admin, 100, 6*time.Second); got < 0.35 {
		t.Errorf("beside stalled readers the rate falls to %.2f", got)
	}
	if peak := peakMemory(t, p.PID()); peak > chartMemory {
		t.Errorf("the bridge used %d MiB", peak)
	}
	if got := share(t, l, "live-v1", p.Admin, 100, 4*time.Second); got < 0.35 {
		t.Errorf("beside open consoles the rate falls to %.2f", got)
	}
	if got := share(t, l, "loop-v1", p.Admin, 1, 4*time.Second); got < 0.5 {
		t.Errorf("beside a reader in a loop the rate falls to %.2f", got)
	}
	p.StopGracefully()
}

// Idle readers use at most their share of the file descriptors.
func TestIdleReadersLeaveFileDescriptorsForDeliveries(t *testing.T) {
	const files = 256
	limited := []string{"sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0" run`, files), bridgetest.Program(t, bridgetest.BridgePackage)}
	p := bridgetest.StartCommand(t, limited, secretEnv)
	bridgetest.CheckDelivers(t, p.WebhookAddr(), secret, bridgetest.JobDelivery(t, "before", "Finished", nil))
	var idle []net.Conn
	for range files {
		conn, err := net.DialTimeout("tcp", p.NATS, time.Second)
		if err != nil {
			break // no file descriptor left
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "CONNECT {\"verbose\":false}\r\nPING\r\n") // else the server closes it soon
		_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = io.ReadFull(conn, make([]byte, 200)) // the server accepted it, refused it, or has no file descriptor
		idle = append(idle, conn)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	for range 20 {
		response, err := client.Get("http://" + p.Admin + "/readyz")
		if err != nil {
			t.Fatalf("beside %d idle readers: %v", len(idle), err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Fatalf("beside %d idle readers: /readyz is %d", len(idle), response.StatusCode)
		}
	}
	bridgetest.CheckDelivers(t, p.WebhookAddr(), secret, bridgetest.JobDelivery(t, "meanwhile", "Finished", nil))
	if open := p.Metric("process_open_fds"); open > files/4 {
		t.Errorf("%g of %d file descriptors are open", open, files)
	}
	p.StopGracefully()
}
