package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
)

func TestRequestSmugglingFails(t *testing.T) {
	b, addr, _ := serveForTest(t, nil)
	pair := rawDelivery("", jobDelivery(t, "first", "Finished", nil)) + rawDelivery("Connection: close\r\n", jobDelivery(t, "second", "Finished", nil))
	if responses := sendRaw(t, addr, pair); strings.Count(responses, "HTTP/1.1 204") != 2 {
		t.Fatalf("responses to two pipelined requests: %q", responses)
	}
	second := rawDelivery("Connection: close\r\n", jobDelivery(t, "smuggled", "Finished", nil))
	for name, raw := range bridgetest.SmugglingRequests(demoSecret, second) {
		responses := sendRaw(t, addr, raw)
		if n := strings.Count(responses, "HTTP/1.1 "); n != 1 || statusOf(responses)/100 == 2 && name != "the body of a handshake" {
			t.Errorf("%s: %d responses: %q", name, n, responses)
		}
	}
	if log := jobNames(t, b); slices.Contains(log, "smuggled") || !slices.Contains(log, "second") {
		t.Errorf("the log has %q", log)
	}
}

// A second request on a connection is checked as the first is.
func TestPipelinedRequestIsChecked(t *testing.T) {
	b, addr, _ := serveForTest(t, nil)
	first := rawDelivery("", jobDelivery(t, "first", "Finished", nil))
	second := rawDelivery("Connection: close\r\n", jobDelivery(t, "smuggled", "Finished", nil))
	ambiguous := strings.Replace(rawDelivery("Transfer-Encoding: chunked\r\n", []byte("0\r\n\r\n")), "{}", "", 1) + second
	responses := sendRaw(t, addr, first+ambiguous)
	if strings.Count(responses, "HTTP/1.1 204") != 1 || strings.Count(responses, "HTTP/1.1 400") != 1 {
		t.Errorf("responses %q", responses)
	}
	if log := jobNames(t, b); slices.Contains(log, "smuggled") {
		t.Errorf("the log has %q", log)
	}
}

// Whatever host a request names, it is one request, and only its path decides.
func TestRequestHostIsIgnored(t *testing.T) {
	b, addr, _ := serveForTest(t, nil)
	for i, target := range []string{webhookPath, "http://bridge" + webhookPath, "http://evil.example" + webhookPath, "https://evil.example" + webhookPath + "?a"} {
		name := fmt.Sprint("host-", i)
		raw := rawDelivery("Connection: close\r\n", jobDelivery(t, name, "Finished", nil))
		responses := sendRaw(t, addr, strings.Replace(raw, "POST "+webhookPath, "POST "+target, 1))
		if statusOf(responses) != http.StatusNoContent || !slices.Contains(jobNames(t, b), name) {
			t.Errorf("%s: responses %q", target, responses)
		}
	}
	for _, target := range []string{"http://evil.example/", "http://x" + webhookPath + "/..", "//x" + webhookPath, "/webhooks/%6Dkio", "/webhooks/../webhooks/mkio", "/webhooks%2Fmkio", "*", "webhooks/mkio", "http:/" + webhookPath} {
		raw := strings.Replace(rawDelivery("Connection: close\r\n", jobDelivery(t, "elsewhere", "Finished", nil)), "POST "+webhookPath, "POST "+target, 1)
		if responses := sendRaw(t, addr, raw); statusOf(responses)/100 == 2 {
			t.Errorf("%s: responses %q", target, responses)
		}
	}
}
