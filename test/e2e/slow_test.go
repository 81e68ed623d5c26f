//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
)

// drip writes the text byte by byte, repeatedly, until the connection ends.
func drip(conn net.Conn, text string) {
	for i := 0; ; i++ {
		if _, err := conn.Write([]byte{text[i%len(text)]}); err != nil {
			return
		}
		time.Sleep(50 * time.Millisecond) // the sender's pace is real time
	}
}

// More senders than there are request slots send headers and bodies byte by byte: a fast sender is still served, and the
// bridge closes the connections of the slow ones.
func TestSlowSendersDoNotBlockOthers(t *testing.T) {
	t.Parallel()
	p := bridgetest.StartBridge(t, secretEnv)
	addr := p.WebhookAddr()
	const authentic = "POST " + webhookPath + " HTTP/1.1\r\nHost: bridge\r\nX-Webhook-Secret: " + secret + "\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
	const stranger = "POST " + webhookPath + " HTTP/1.1\r\nHost: bridge\r\nContent-Length: 4000000\r\n\r\n{"
	slow := map[string]struct {
		count      int
		begin      string
		then       string // sent byte by byte
		continues  bool   // the bridge responds 100 Continue and reads the body
		wantStatus []int  // 0: no response
	}{
		"headers":                    {50, "POST " + webhookPath + " HTTP/1.1\r\n", "X-A: b\r\n", false, []int{0, http.StatusBadRequest}}, // 400 when the deadline falls within a line
		"nothing at all":             {50, "", "", false, []int{0}},
		"a stranger's body":          {50, stranger, " ", false, []int{http.StatusUnauthorized}},
		"an authentic body":          {1100, authentic + "Content-Length: 4000000\r\n\r\n", " ", true, []int{http.StatusBadRequest}},
		"authentic chunks":           {50, authentic + "Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n", true, []int{http.StatusBadRequest}},
		"a response, then more body": {50, "GET / HTTP/1.1\r\nHost: bridge\r\nContent-Length: 9\r\n\r\n", " ", false, []int{http.StatusNotFound}},
	}
	type slowConn struct {
		net.Conn
		name string
	}
	var all []slowConn
	for name, s := range slow {
		for i := range s.count {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, s.begin)
			if s.then != "" && i < 50 {
				go drip(conn, s.then)
			}
			all = append(all, slowConn{conn, name})
		}
	}
	for _, h := range all { // 100 Continue: the bridge reads the body
		if slow[h.name].continues {
			response := make([]byte, len("HTTP/1.1 100 Continue\r\n")) // and no byte more
			if _, err := io.ReadFull(h, response); err != nil || !strings.Contains(string(response), "100") {
				t.Fatalf("%s: %q, %v", h.name, response, err)
			}
		}
	}
	began := time.Now()
	for i := range 20 {
		bridgetest.CheckDelivers(t, addr, secret, bridgetest.JobDelivery(t, fmt.Sprint("quick-", i), "Finished", nil))
	}
	t.Logf("20 deliveries beside %d slow senders took %s", len(all), time.Since(began).Round(time.Millisecond))
	for _, h := range all {
		response := strings.TrimPrefix(bridgetest.ReadToEnd(t, h), "\r\n")
		if i := strings.Index(response, "HTTP/1.1 "); i > 0 { // the rest of 100 Continue precedes it
			response = response[i:]
		}
		if !slices.Contains(slow[h.name].wantStatus, bridgetest.StatusOf(response)) {
			t.Errorf("%s: response %q", h.name, response)
			break
		}
	}
}
