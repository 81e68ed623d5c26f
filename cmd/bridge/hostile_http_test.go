package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFloodsOfHeadersAreRefused(t *testing.T) {
	_, addr, _ := serveForTest(t, nil)
	const head = "POST " + webhookPath + " HTTP/1.1\r\nHost: bridge\r\nX-Webhook-Secret: " + demoSecret + "\r\nContent-Length: 2\r\n"
	for name, raw := range map[string]string{
		"many headers":       head + strings.Repeat("X-A: b\r\n", 100_000) + "\r\n{}",
		"many names":         head + manyNames(20_000) + "\r\n{}",
		"a large header":     head + "X-A: " + strings.Repeat("a", 1<<20) + "\r\n\r\n{}",
		"a large name":       head + strings.Repeat("a", 1<<20) + ": a\r\n\r\n{}",
		"a long address":     strings.Replace(head, webhookPath, webhookPath+"?access_token="+strings.Repeat("a", 1<<20), 1) + "\r\n{}",
		"a long method":      strings.Repeat("A", 1<<20) + " / HTTP/1.1\r\n\r\n",
		"no end of any line": strings.Repeat("a", 1<<20),
	} {
		if answers := sendRaw(t, addr, raw); statusOf(answers) != http.StatusRequestHeaderFieldsTooLarge || strings.Count(answers, "HTTP/1.1 ") != 1 {
			t.Errorf("%s: answers %q", name, answers)
		}
	}
	for name, body := range map[string]string{
		"extensions": "1;" + strings.Repeat("a", 1<<20) + "\r\n{\r\n0\r\n\r\n",
		"trailers":   "2\r\n{}\r\n0\r\n" + strings.Repeat("X-A: b\r\n", 100_000) + "\r\n",
		"many":       strings.Repeat("1;"+strings.Repeat("a", 1000)+"\r\n \r\n", 1000) + "0\r\n\r\n",
	} {
		raw := strings.Replace(head, "Content-Length: 2", "Transfer-Encoding: chunked", 1) + "\r\n" + body
		if answers := sendRaw(t, addr, raw); statusOf(answers) != http.StatusBadRequest || strings.Count(answers, "HTTP/1.1 ") != 1 {
			t.Errorf("chunks with %s: answers %q", name, answers)
		}
	}
	checkDelivers(t, addr, jobDelivery(t, "after-floods", "Finished", nil))
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "X-%d: a\r\n", i)
	}
	return b.String()
}

// HTTP/2 is not spoken, so nothing in it can be reset rapidly.
func TestHTTP2IsNotSpoken(t *testing.T) {
	_, addr, _ := serveForTest(t, nil)
	frames := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" // settings
	for stream := range 1000 {
		id := string([]byte{0, 0, byte(stream >> 7), byte(2*stream + 1)})
		frames += "\x00\x00\x01\x01\x05" + id + "\x82" + "\x00\x00\x04\x03\x00" + id + "\x00\x00\x00\x08" // a request, and its reset
	}
	if answers := sendRaw(t, addr, frames); statusOf(answers) != http.StatusHTTPVersionNotSupported || strings.Count(answers, "HTTP/1.1 ") != 1 {
		t.Errorf("the preface is answered %q", answers)
	}
	upgrade := rawDelivery("Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", jobDelivery(t, "upgrade", "Finished", nil))
	if answers := sendRaw(t, addr, upgrade); statusOf(answers) != http.StatusNoContent {
		t.Errorf("an upgrade is answered %q", answers)
	}
	checkDelivers(t, addr, jobDelivery(t, "after-preface", "Finished", nil))
}

func TestTLSSpeaksHTTP1Alone(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	writeCertificate(t, cert, key, 1)
	_, addr, _ := serveForTest(t, func(c *config) { c.TLSCert, c.TLSKey = cert, key })
	if conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}); err == nil {
		t.Errorf("h2 alone is taken: %q", conn.ConnectionState().NegotiatedProtocol)
		conn.Close()
	}
	if answers := sendRaw(t, addr, rawDelivery("", []byte("{}"))); statusOf(answers) != http.StatusBadRequest || !strings.Contains(answers, "https") {
		t.Errorf("a request without TLS is answered %q", answers)
	}
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	response, err := client.Post("https://"+addr+webhookPath+"?access_token="+demoSecret, "application/json", strings.NewReader(string(jobDelivery(t, "tls", "Finished", nil))))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent || response.ProtoMajor != 1 || response.TLS.NegotiatedProtocol != "http/1.1" {
		t.Errorf("status %d by %s, %q was agreed on", response.StatusCode, response.Proto, response.TLS.NegotiatedProtocol)
	}
}

// serveHurried serves a bridge whose patience with slow senders is a fraction of what it is.
func serveHurried(t *testing.T, fraction time.Duration) string {
	t.Helper()
	b := openForTest(t)
	server := b.server(b.publicRoutes())
	server.ReadHeaderTimeout /= fraction
	server.ReadTimeout /= fraction
	server.IdleTimeout /= fraction
	l, err := listenAt(t.Context(), "LISTEN", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- serveHTTP(server, newDoor(l, nil, placesOf(publicShare), b.log)) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// A drip writes one byte after the other, until the connection has ended.
func drip(conn net.Conn, of string) {
	for i := 0; ; i++ {
		if _, err := conn.Write([]byte{of[i%len(of)]}); err != nil {
			return
		}
		time.Sleep(50 * time.Millisecond) // it is the sender that is slow
	}
}

// More senders than may be in hand at a time dribble headers and bodies; who is quick is served, and the slow are
// shown the door.
func TestSlowSendersHoldUpNobody(t *testing.T) {
	t.Parallel()
	addr := serveHurried(t, 5)
	const authentic = "POST " + webhookPath + " HTTP/1.1\r\nHost: bridge\r\nX-Webhook-Secret: " + demoSecret + "\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
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
		checkDelivers(t, addr, jobDelivery(t, fmt.Sprint("quick-", i), "Finished", nil))
	}
	t.Logf("20 deliveries beside %d slow senders took %s", len(all), time.Since(began).Round(time.Millisecond))
	for _, h := range all {
		answer := strings.TrimPrefix(readToEnd(t, h), "\r\n")
		if i := strings.Index(answer, "HTTP/1.1 "); i > 0 { // what is left of 100 Continue
			answer = answer[i:]
		}
		if !slices.Contains(slow[h.name].wantStatus, statusOf(answer)) {
			t.Errorf("%s: answer %q", h.name, answer)
			break
		}
	}
}
