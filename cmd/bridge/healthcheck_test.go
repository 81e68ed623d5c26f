package main

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// A check of a bridge elsewhere needs no settings, and settings do not disturb it: in an image there may be some.
func TestHealthcheckOfABridgeElsewhere(t *testing.T) {
	b := openForTest(t)
	admin, public := httptest.NewServer(b.adminRoutes(true)), httptest.NewServer(b.publicRoutes())
	defer admin.Close()
	defer public.Close()
	webhook := public.URL + webhookPath
	t.Setenv("BRIDGE_LISTEN", ":0") // without a secret: settings that cannot be used
	tests := []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--url", admin.URL + "/readyz"}, exitOK, "ready\n"},
		{[]string{"--url", "tcp://" + admin.Listener.Addr().String() + "/readyz"}, exitOK, "ready\n"},
		{[]string{"--url", webhook, "--status", strconv.Itoa(http.StatusMethodNotAllowed)}, exitOK, "ready\n"},
		{[]string{"--url", webhook}, exitFailed, "405"},
		{[]string{"--url", admin.URL + "/nothing"}, exitFailed, "there is nothing at this address"},
		{[]string{"--url", "http://127.0.0.1:1/readyz"}, exitFailed, "127.0.0.1:1"},
		{[]string{"--url", "http://a host"}, exitUsage, "a host"},
		{nil, exitUsage, "BRIDGE_WEBHOOK_SECRETS"},
	}
	for _, tt := range tests {
		stdout, stderr, code := say(t, append([]string{"healthcheck"}, tt.args...)...)
		if code != tt.code || !strings.Contains(stdout+stderr, tt.want) {
			t.Errorf("%v: exit %d, want %d and %q:\n%s%s", tt.args, code, tt.code, tt.want, stdout, stderr)
		}
	}
}

// One that is to wait asks until the bridge is there.
func TestHealthcheckWaits(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	if _, stderr, code := say(t, "healthcheck", "--url", server.URL); code != exitFailed || asked.Load() != 1 {
		t.Errorf("without a wait: exit %d after %d questions: %s", code, asked.Load(), stderr)
	}
	if _, stderr, code := say(t, "healthcheck", "--url", server.URL, "--wait", "1m"); code != exitOK || asked.Load() != 3 {
		t.Errorf("exit %d after %d questions: %s", code, asked.Load(), stderr)
	}
}
