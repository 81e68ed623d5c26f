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

// What a reader asks at once, of a log with so many resources. One answer takes the server milliseconds.
const (
	burstRequests  = 5000
	burstResources = 4000
	burstWatched   = 8 * time.Second // more than twice as long as the bridge waits for an answer
)

// burst has a reader ask for the subjects of the log as often as it can in one go, and leave.
func burst(t *testing.T, addr, connect string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	const body = `{"subjects_filter":">"}`
	request := fmt.Sprintf("PUB $JS.API.STREAM.INFO.MKIO_EVENTS _INBOX.x %d\r\n%s\r\n", len(body), body)
	fmt.Fprintf(conn, "CONNECT %s\r\n%sPING\r\n", connect, strings.Repeat(request, burstRequests))
	for {
		line, err := answers.ReadString('\n')
		if err != nil {
			t.Fatalf("the server does not take the burst: %v", err)
		}
		if strings.HasPrefix(line, "PONG") {
			return
		}
		if strings.HasPrefix(line, "-ERR") {
			t.Fatalf("the burst is refused: %s", line)
		}
	}
}

// fillLog delivers jobs, many at a time.
func fillLog(t *testing.T, p *bridgetest.Bridge) {
	t.Helper()
	const atOnce = 200
	for first := 0; first < burstResources; first += atOnce {
		var jobs [][]byte
		for i := range atOnce {
			jobs = append(jobs, bridgetest.JobDelivery(t, fmt.Sprintf("filler-%d", first+i), "Finished", nil))
		}
		if status := p.Deliver(append(append([]byte("["), bytes.Join(jobs, []byte(","))...), ']'), "X-Webhook-Secret", secret, "Content-Type", "application/cloudevents-batch+json"); status != http.StatusNoContent {
			t.Fatalf("deliveries are answered %d", status)
		}
	}
}

// checkUndisturbed delivers, also what is stored already, and asks whether the bridge is ready, for some seconds.
func checkUndisturbed(t *testing.T, p *bridgetest.Bridge) {
	t.Helper()
	began := time.Now()
	for i := 0; time.Since(began) < burstWatched && !t.Failed(); i++ {
		for _, name := range []string{fmt.Sprintf("behind-%d", i), "filler-0"} {
			if status := p.Deliver(bridgetest.JobDelivery(t, name, "Finished", nil), "X-Webhook-Secret", secret); status != http.StatusNoContent {
				t.Errorf("%s after it, %s is answered %d", time.Since(began).Round(time.Millisecond), name, status)
			}
		}
		if status, why := p.Readiness(); status != http.StatusOK {
			t.Errorf("%s after it, the bridge is not ready: %s", time.Since(began).Round(time.Millisecond), why)
		}
	}
	if n := p.Metric("mkio_bridge_store_unavailable"); n != 0 {
		t.Error("the bridge takes JetStream for troubled")
	}
}

// A reader's burst of questions took the bridge down for a minute: JetStream answers all who ask in one queue, and the
// bridge took no answer for trouble.
func TestAReadersBurstOfQuestionsStopsNoDelivery(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		p := bridgetest.StartBridge(t, secretEnv, "BRIDGE_SYNC=2s")
		fillLog(t, p)
		burst(t, p.NATS, `{"verbose":false}`)
		checkUndisturbed(t, p)
		p.StopGracefully()
	})
	t.Run("a server of its own, as mkio-reader", func(t *testing.T) {
		g := startGuarded(t)
		p := bridgetest.StartBridge(t, g.env("mkio-bridge", "bridge", secretEnv)...)
		fillLog(t, p)
		burst(t, strings.TrimPrefix(g.URL, "nats://"), `{"verbose":false,"user":"mkio-reader","pass":"reader-REDACT-ME"}`)
		checkUndisturbed(t, p)
		p.StopGracefully()
	})
}
