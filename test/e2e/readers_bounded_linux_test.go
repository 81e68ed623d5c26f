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

// smallMemory is what the chart's bridge has: nine tenths of 512 MiB.
const smallMemory = "GOMEMLIMIT=460MiB"

// chartMemory is the chart's limit, in MiB.
const chartMemory = 512

// share is how much of the undisturbed rate of deliveries, which is measured before and after, is left beside readers.
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
	left := 2 * beside / (before + after)
	t.Logf("%s: %.0f deliveries a second before, %.0f beside %d readers, %.0f after, so %.2f is left; at most %d MiB", sort, before, beside, readers, after, left, peakMemory(t, l.to.PID()))
	return left
}

// Two hundred readers of a log of some 150 MB who do not read leave the writer its memory and most of its rate.
func TestReadersWhoDoNotReadAreBounded(t *testing.T) {
	p := bridgetest.StartBridge(t, secretEnv, smallMemory, "BRIDGE_SYNC=2s")
	l := newLoad(t, p, 4000)
	l.count(20_000)
	if got := share(t, l, "deaf", p.NATS, 200, 8*time.Second); got < 0.4 { // two thirds where nothing else runs
		t.Errorf("%.2f of the rate is left", got)
	}
	if peak := peakMemory(t, p.PID()); peak > chartMemory {
		t.Errorf("the bridge took %d MiB", peak)
	}
	p.StopGracefully()
}

func TestSoakAFloodOfGetsLeavesDeliveriesTheirRate(t *testing.T) {
	p := bridgetest.StartBridge(t, secretEnv, "BRIDGE_SYNC=2s")
	l := newLoad(t, p, 1000)
	l.count(8_000)
	if got := share(t, l, "flood", p.NATS, 4, 4*time.Second); got < 0.35 { // half, where nothing else runs
		t.Errorf("%.2f of the rate is left", got)
	}
	p.StopGracefully()
}

func TestSoakSlowReadersOfV1AreBounded(t *testing.T) {
	p := bridgetest.StartBridge(t, secretEnv, smallMemory, "BRIDGE_SYNC=2s")
	l := newLoad(t, p, 4000)
	l.count(10_000)
	if got := share(t, l, "deaf-v1", p.Admin, 100, 6*time.Second); got < 0.35 {
		t.Errorf("beside slow ones %.2f of the rate is left", got)
	}
	if peak := peakMemory(t, p.PID()); peak > chartMemory {
		t.Errorf("the bridge took %d MiB", peak)
	}
	if got := share(t, l, "loop-v1", p.Admin, 1, 4*time.Second); got < 0.5 {
		t.Errorf("beside one who reads all in a loop %.2f of the rate is left", got)
	}
	p.StopGracefully()
}

// Readers who say nothing take their share of the files, and no more.
func TestIdleReadersLeaveFilesToDeliveries(t *testing.T) {
	const files = 256
	limited := []string{"sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0" run`, files), bridgetest.Program(t, bridgetest.BridgePackage)}
	p := bridgetest.StartCommand(t, limited, secretEnv)
	bridgetest.CheckDelivers(t, p.WebhookAddr(), secret, bridgetest.JobDelivery(t, "before", "Finished", nil))
	var idle []net.Conn
	for range files {
		conn, err := net.DialTimeout("tcp", p.NATS, time.Second)
		if err != nil {
			break // it has no file for it
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "CONNECT {\"verbose\":false}\r\nPING\r\n") // or it would have to leave soon
		_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = io.ReadFull(conn, make([]byte, 200)) // that it is in, or refused, or that nobody has a file for it
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
			t.Fatalf("beside %d idle readers /readyz answers %d", len(idle), response.StatusCode)
		}
	}
	bridgetest.CheckDelivers(t, p.WebhookAddr(), secret, bridgetest.JobDelivery(t, "meanwhile", "Finished", nil))
	if open := p.Metric("process_open_fds"); open > files/4 {
		t.Errorf("%g files are open of %d", open, files)
	}
	p.StopGracefully()
}
