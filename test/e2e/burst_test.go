//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
)

// A reader sends burstRequests at once, on a log of burstResources. One response takes the server milliseconds.
const (
	burstRequests  = 5000
	burstResources = 4000
	burstWatched   = 8 * time.Second // over twice the bridge's timeout for a response
)

// burst connects as a reader, requests the log's subjects burstRequests times in one write, and disconnects.
func burst(t *testing.T, addr, connect string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	responses := bufio.NewReader(conn)
	const body = `{"subjects_filter":">"}`
	request := fmt.Sprintf("PUB $JS.API.STREAM.INFO.MKIO_EVENTS _INBOX.x %d\r\n%s\r\n", len(body), body)
	fmt.Fprintf(conn, "CONNECT %s\r\n%sPING\r\n", connect, strings.Repeat(request, burstRequests))
	for {
		line, err := responses.ReadString('\n')
		if err != nil {
			t.Fatalf("the server did not accept the burst: %v", err)
		}
		if strings.HasPrefix(line, "PONG") {
			return
		}
		if strings.HasPrefix(line, "-ERR") {
			t.Fatalf("the server refused the burst: %s", line)
		}
	}
}

// fillLog delivers burstResources jobs in batches.
func fillLog(t *testing.T, p *bridgetest.Bridge) {
	t.Helper()
	const batchSize = 200
	for first := 0; first < burstResources; first += batchSize {
		var jobs [][]byte
		for i := range batchSize {
			jobs = append(jobs, bridgetest.JobDelivery(t, fmt.Sprintf("filler-%d", first+i), "Finished", nil))
		}
		if status := p.Deliver(append(append([]byte("["), bytes.Join(jobs, []byte(","))...), ']'), "X-Webhook-Secret", secret, "Content-Type", "application/cloudevents-batch+json"); status != http.StatusNoContent {
			t.Fatalf("batch: status %d", status)
		}
	}
}

// checkUndisturbed makes deliveries, duplicates among them, and probes /readyz for burstWatched.
func checkUndisturbed(t *testing.T, p *bridgetest.Bridge) {
	t.Helper()
	began := time.Now()
	for i := 0; time.Since(began) < burstWatched && !t.Failed(); i++ {
		for _, name := range []string{fmt.Sprintf("behind-%d", i), "filler-0"} {
			if status := p.Deliver(bridgetest.JobDelivery(t, name, "Finished", nil), "X-Webhook-Secret", secret); status != http.StatusNoContent {
				t.Errorf("%s after the burst, %s: status %d", time.Since(began).Round(time.Millisecond), name, status)
			}
		}
		if status, why := p.Readiness(); status != http.StatusOK {
			t.Errorf("%s after the burst, the bridge is not ready: %s", time.Since(began).Round(time.Millisecond), why)
		}
	}
	if n := p.Metric("mkio_bridge_store_unavailable"); n != 0 {
		t.Error("mkio_bridge_store_unavailable is set")
	}
}

// A reader's burst of requests once made the bridge refuse deliveries for a minute: JetStream serves all API requests from
// one queue, and the bridge took the missing response for an outage.
func TestReaderRequestBurstDoesNotBlockDeliveries(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		p := bridgetest.StartBridge(t, secretEnv, "BRIDGE_SYNC=2s")
		fillLog(t, p)
		burst(t, p.NATS, `{"verbose":false}`)
		checkUndisturbed(t, p)
		p.StopGracefully()
	})
	t.Run("external server, as mkio-reader", func(t *testing.T) {
		g := startWithAccounts(t)
		p := bridgetest.StartBridge(t, g.env("mkio-bridge", "bridge", secretEnv)...)
		fillLog(t, p)
		burst(t, strings.TrimPrefix(g.URL, "nats://"), `{"verbose":false,"user":"mkio-reader","pass":"reader-REDACT-ME"}`)
		checkUndisturbed(t, p)
		p.StopGracefully()
	})
}
