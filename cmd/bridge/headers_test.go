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
