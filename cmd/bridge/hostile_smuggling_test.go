package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
)

func TestNothingIsSmuggledBehindARequest(t *testing.T) {
	b, addr, _ := serveForTest(t, nil)
	pair := rawDelivery("", jobDelivery(t, "first", "Finished", nil)) + rawDelivery("Connection: close\r\n", jobDelivery(t, "second", "Finished", nil))
	if answers := sendRaw(t, addr, pair); strings.Count(answers, "HTTP/1.1 204") != 2 {
		t.Fatalf("two requests in order are answered %q", answers)
	}
	second := rawDelivery("Connection: close\r\n", jobDelivery(t, "smuggled", "Finished", nil))
	for name, raw := range bridgetest.Smugglings(demoSecret, second) {
		answers := sendRaw(t, addr, raw)
		if n := strings.Count(answers, "HTTP/1.1 "); n != 1 || statusOf(answers)/100 == 2 && name != "the body of a handshake" {
			t.Errorf("%s: %d answers: %q", name, n, answers)
		}
	}
	if log := jobNames(t, b); slices.Contains(log, "smuggled") || !slices.Contains(log, "second") {
		t.Errorf("the log holds %q", log)
	}
}

// A second request on a connection is looked at as the first is.
func TestWhatFollowsARequestInOrderIsLookedAt(t *testing.T) {
	b, addr, _ := serveForTest(t, nil)
	first := rawDelivery("", jobDelivery(t, "first", "Finished", nil))
	second := rawDelivery("Connection: close\r\n", jobDelivery(t, "smuggled", "Finished", nil))
	ambiguous := strings.Replace(rawDelivery("Transfer-Encoding: chunked\r\n", []byte("0\r\n\r\n")), "{}", "", 1) + second
	answers := sendRaw(t, addr, first+ambiguous)
	if strings.Count(answers, "HTTP/1.1 204") != 1 || strings.Count(answers, "HTTP/1.1 400") != 1 {
		t.Errorf("answers %q", answers)
	}
	if log := jobNames(t, b); slices.Contains(log, "smuggled") {
		t.Errorf("the log holds %q", log)
	}
}

// Whatever host a request names, it is one request, and the address is the path's.
func TestTheHostOfARequestDecidesNothing(t *testing.T) {
	b, addr, _ := serveForTest(t, nil)
	for i, target := range []string{webhookPath, "http://bridge" + webhookPath, "http://evil.example" + webhookPath, "https://evil.example" + webhookPath + "?a"} {
		name := fmt.Sprint("host-", i)
		raw := rawDelivery("Connection: close\r\n", jobDelivery(t, name, "Finished", nil))
		answers := sendRaw(t, addr, strings.Replace(raw, "POST "+webhookPath, "POST "+target, 1))
		if statusOf(answers) != http.StatusNoContent || !slices.Contains(jobNames(t, b), name) {
			t.Errorf("%s is answered %q", target, answers)
		}
	}
	for _, target := range []string{"http://evil.example/", "http://x" + webhookPath + "/..", "//x" + webhookPath, "/webhooks/%6Dkio", "/webhooks/../webhooks/mkio", "/webhooks%2Fmkio", "*", "webhooks/mkio", "http:/" + webhookPath} {
		raw := strings.Replace(rawDelivery("Connection: close\r\n", jobDelivery(t, "elsewhere", "Finished", nil)), "POST "+webhookPath, "POST "+target, 1)
		if answers := sendRaw(t, addr, raw); statusOf(answers)/100 == 2 {
			t.Errorf("%s is answered %q", target, answers)
		}
	}
}
