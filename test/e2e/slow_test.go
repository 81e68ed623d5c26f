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

// drip writes one byte after the other, until the connection has ended.
func drip(conn net.Conn, of string) {
	for i := 0; ; i++ {
		if _, err := conn.Write([]byte{of[i%len(of)]}); err != nil {
			return
		}
		time.Sleep(50 * time.Millisecond) // it is the sender that is slow
	}
}

// More senders than are served at a time send headers and bodies byte by byte: a quick sender is served meanwhile, and the
// bridge ends the connections of the slow ones.
func TestSlowSendersHoldUpNobody(t *testing.T) {
	t.Parallel()
	p := bridgetest.StartBridge(t, secretEnv)
	addr := p.WebhookAddr()
	const authentic = "POST " + webhookPath + " HTTP/1.1\r\nHost: bridge\r\nX-Webhook-Secret: " + secret + "\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
	const stranger = "POST " + webhookPath + " HTTP/1.1\r\nHost: bridge\r\nContent-Length: 4000000\r\n\r\n{"
	slow := map[string]struct {
		count      int
		begin      string
		then       string // is dribbled
		continues  bool   // the bridge begins to read the body
		wantStatus []int  // 0: no answer
	}{
		"headers":                {50, "POST " + webhookPath + " HTTP/1.1\r\n", "X-A: b\r\n", false, []int{0, http.StatusBadRequest}}, // as the line is whole or not
		"nothing at all":         {50, "", "", false, []int{0}},
		"a stranger's body":      {50, stranger, " ", false, []int{http.StatusUnauthorized}},
		"an authentic body":      {1100, authentic + "Content-Length: 4000000\r\n\r\n", " ", true, []int{http.StatusBadRequest}},
		"authentic chunks":       {50, authentic + "Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n", true, []int{http.StatusBadRequest}},
		"an answer, then a rest": {50, "GET / HTTP/1.1\r\nHost: bridge\r\nContent-Length: 9\r\n\r\n", " ", false, []int{http.StatusNotFound}},
	}
	type held struct {
		net.Conn
		name string
	}
	var all []held
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
			all = append(all, held{conn, name})
		}
	}
	for _, h := range all { // the answer to Expect says that the bridge reads the body
		if slow[h.name].continues {
			answer := make([]byte, len("HTTP/1.1 100 Continue\r\n")) // and no byte of what follows
			if _, err := io.ReadFull(h, answer); err != nil || !strings.Contains(string(answer), "100") {
				t.Fatalf("%s: %q, %v", h.name, answer, err)
			}
		}
	}
	began := time.Now()
	for i := range 20 {
		bridgetest.CheckDelivers(t, addr, secret, bridgetest.JobDelivery(t, fmt.Sprint("quick-", i), "Finished", nil))
	}
	t.Logf("20 deliveries beside %d slow senders took %s", len(all), time.Since(began).Round(time.Millisecond))
	for _, h := range all {
		answer := strings.TrimPrefix(bridgetest.ReadToEnd(t, h), "\r\n")
		if i := strings.Index(answer, "HTTP/1.1 "); i > 0 { // what is left of 100 Continue
			answer = answer[i:]
		}
		if !slices.Contains(slow[h.name].wantStatus, bridgetest.StatusOf(answer)) {
			t.Errorf("%s: answer %q", h.name, answer)
			break
		}
	}
}
