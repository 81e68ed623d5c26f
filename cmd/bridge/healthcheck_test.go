package main

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"mkio-bridge/internal/openapitest"
)

// Probing a remote bridge needs no settings, and ignores those that exist, e.g. in an image.
func TestHealthcheckOfARemoteBridge(t *testing.T) {
	b := openForTest(t)
	admin, public := httptest.NewServer(openapitest.Check(b.adminRoutes(true))), httptest.NewServer(openapitest.Check(b.publicRoutes()))
	defer admin.Close()
	defer public.Close()
	webhook := public.URL + webhookPath
	t.Setenv("BRIDGE_LISTEN", ":0") // without a secret: invalid settings
	tests := []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--url", admin.URL + "/readyz"}, exitOK, "ready\n"},
		{[]string{"--url", "tcp://" + admin.Listener.Addr().String() + "/readyz"}, exitOK, "ready\n"},
		{[]string{"--url", webhook, "--status", strconv.Itoa(http.StatusMethodNotAllowed)}, exitOK, "ready\n"},
		{[]string{"--url", webhook}, exitFailed, "405"},
		{[]string{"--url", admin.URL + "/nothing"}, exitFailed, "endpoint not found"},
		{[]string{"--url", "http://127.0.0.1:1/readyz"}, exitFailed, "127.0.0.1:1"},
		{[]string{"--url", "http://a host"}, exitUsage, "a host"},
		{nil, exitUsage, "BRIDGE_WEBHOOK_SECRETS"},
	}
	for _, tt := range tests {
		stdout, stderr, code := runCommand(t, append([]string{"healthcheck"}, tt.args...)...)
		if code != tt.code || !strings.Contains(stdout+stderr, tt.want) {
			t.Errorf("%v: exit %d, want %d and %q:\n%s%s", tt.args, code, tt.code, tt.want, stdout, stderr)
		}
	}
}

// With --wait the probe is repeated until the bridge is ready.
func TestHealthcheckWaits(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	if _, stderr, code := runCommand(t, "healthcheck", "--url", server.URL); code != exitFailed || requests.Load() != 1 {
		t.Errorf("without a wait: exit %d after %d requests: %s", code, requests.Load(), stderr)
	}
	if _, stderr, code := runCommand(t, "healthcheck", "--url", server.URL, "--wait", "1m"); code != exitOK || requests.Load() != 3 {
		t.Errorf("exit %d after %d requests: %s", code, requests.Load(), stderr)
	}
}
