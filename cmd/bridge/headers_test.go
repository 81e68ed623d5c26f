package main

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
)

// checkSecured checks the headers that keep pages of the admin listener safe.
func checkSecured(t *testing.T, header http.Header) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; ", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := header.Get(name); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// What is no valid HTTP is refused by net/http itself, which has no hook for headers. Its response has no part of the request in
// it, and is no page.
func TestRefusalsOfServerAreConstant(t *testing.T) {
	address := serveAdmin(t, nil)
	const injected = "<script>alert(1)</script>"
	for raw, want := range map[string]int{
		"GET /" + injected + " HTTP/1.1\r\n\r\n": http.StatusBadRequest, // no Host
		"GET /" + injected + "\r\n\r\n":          http.StatusBadRequest,
		injected + "\r\n\r\n":                    http.StatusBadRequest,
		"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat(injected, 4000) + "\r\n\r\n":     http.StatusRequestHeaderFieldsTooLarge,
		"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: " + injected + "\r\n\r\n":           http.StatusNotImplemented,
		"GET / HTTP/1.1\r\nHost: localhost\r\nExpect: " + injected + "\r\nConnection: close\r\n\r\n": http.StatusExpectationFailed,
	} {
		text := sendRaw(t, address, raw)
		response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), nil)
		if err != nil {
			t.Errorf("%.60q: %v", raw, err)
			continue
		}
		response.Body.Close()
		page := response.ContentLength != 0 && !strings.HasPrefix(response.Header.Get("Content-Type"), "text/plain")
		if response.StatusCode != want || page || strings.Contains(text, "script") {
			t.Errorf("%.60q: %q", raw, text)
		}
	}
}

// Responses that no route of the admin listener writes have the security headers too. TestAccess checks those of the routes.
func TestRefusalsHaveSecurityHeaders(t *testing.T) {
	address := serveAdmin(t, nil)
	const end = " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	for name, refused := range map[string]struct {
		raw    string
		status int
	}{
		"another path":      {"GET /none" + end, http.StatusNotFound},
		"another method":    {"POST /livez" + end, http.StatusNotFound},
		"a path to clean":   {"GET /console/../v1" + end, http.StatusTemporaryRedirect},
		"another protocol":  {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", http.StatusHTTPVersionNotSupported},
		"a foreign origin":  {"POST /v1/verify HTTP/1.1\r\nHost: localhost\r\nOrigin: https://page.test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", http.StatusForbidden},
		"a foreign Host":    {"GET /v1/status HTTP/1.1\r\nHost: page.test\r\nConnection: close\r\n\r\n", http.StatusForbidden},
		"an unknown query":  {"GET /v1/status?no=1" + end, http.StatusBadRequest},
		"an unknown script": {"GET /console/none.js" + end, http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(sendRaw(t, address, refused.raw))), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != refused.status {
				t.Errorf("status %s, want %d", response.Status, refused.status)
			}
			checkSecured(t, response.Header)
		})
	}
}
