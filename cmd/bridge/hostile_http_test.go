package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

func TestHeaderFloodsAreRefused(t *testing.T) {
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
		if responses := sendRaw(t, addr, raw); statusOf(responses) != http.StatusRequestHeaderFieldsTooLarge || strings.Count(responses, "HTTP/1.1 ") != 1 {
			t.Errorf("%s: responses %q", name, responses)
		}
	}
	for name, body := range map[string]string{
		"extensions": "1;" + strings.Repeat("a", 1<<20) + "\r\n{\r\n0\r\n\r\n",
		"trailers":   "2\r\n{}\r\n0\r\n" + strings.Repeat("X-A: b\r\n", 100_000) + "\r\n",
		"many":       strings.Repeat("1;"+strings.Repeat("a", 1000)+"\r\n \r\n", 1000) + "0\r\n\r\n",
	} {
		raw := strings.Replace(head, "Content-Length: 2", "Transfer-Encoding: chunked", 1) + "\r\n" + body
		if responses := sendRaw(t, addr, raw); statusOf(responses) != http.StatusBadRequest || strings.Count(responses, "HTTP/1.1 ") != 1 {
			t.Errorf("chunks with %s: responses %q", name, responses)
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

// HTTP/2 is not supported, so rapid resets of its streams are impossible.
func TestHTTP2IsNotSpoken(t *testing.T) {
	_, addr, _ := serveForTest(t, nil)
	frames := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" // settings
	for stream := range 1000 {
		id := string([]byte{0, 0, byte(stream >> 7), byte(2*stream + 1)})
		frames += "\x00\x00\x01\x01\x05" + id + "\x82" + "\x00\x00\x04\x03\x00" + id + "\x00\x00\x00\x08" // a request, and its reset
	}
	if responses := sendRaw(t, addr, frames); statusOf(responses) != http.StatusHTTPVersionNotSupported || strings.Count(responses, "HTTP/1.1 ") != 1 {
		t.Errorf("responses to the preface: %q", responses)
	}
	upgrade := rawDelivery("Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", jobDelivery(t, "upgrade", "Finished", nil))
	if responses := sendRaw(t, addr, upgrade); statusOf(responses) != http.StatusNoContent {
		t.Errorf("responses to an upgrade: %q", responses)
	}
	checkDelivers(t, addr, jobDelivery(t, "after-preface", "Finished", nil))
}

func TestTLSSpeaksHTTP1Only(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	writeCertificate(t, cert, key, 1)
	_, addr, _ := serveForTest(t, func(c *config) { c.TLSCert, c.TLSKey = cert, key })
	if conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}); err == nil {
		t.Errorf("h2 only is accepted: %q", conn.ConnectionState().NegotiatedProtocol)
		conn.Close()
	}
	if responses := sendRaw(t, addr, rawDelivery("", []byte("{}"))); statusOf(responses) != http.StatusBadRequest || !strings.Contains(responses, "https") {
		t.Errorf("responses to a request without TLS: %q", responses)
	}
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	response, err := client.Post("https://"+addr+webhookPath+"?access_token="+demoSecret, "application/json", strings.NewReader(string(jobDelivery(t, "tls", "Finished", nil))))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent || response.ProtoMajor != 1 || response.TLS.NegotiatedProtocol != "http/1.1" {
		t.Errorf("status %d by %s, negotiated %q", response.StatusCode, response.Proto, response.TLS.NegotiatedProtocol)
	}
}
