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
	p := startBridge(t, "BRIDGE_STORE_DIR="+t.TempDir())
	unusable := []string{"BRIDGE_LISTEN=:0"} // without a secret
	tests := []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--url", "http://" + p.admin + "/readyz"}, exitOK, "ready\n"},
		{[]string{"--url", "tcp://" + p.admin + "/readyz"}, exitOK, "ready\n"},
		{[]string{"--url", p.webhook, "--status", strconv.Itoa(http.StatusMethodNotAllowed)}, exitOK, "ready\n"},
		{[]string{"--url", p.webhook}, exitFailed, "405"},
		{[]string{"--url", "http://" + p.admin + "/nothing"}, exitFailed, "there is nothing at this address"},
		{[]string{"--url", "http://127.0.0.1:1/readyz"}, exitFailed, "127.0.0.1:1"},
		{[]string{"--url", "http://a host"}, exitUsage, "a host"},
		{nil, exitUsage, "BRIDGE_WEBHOOK_SECRETS"},
	}
	for _, tt := range tests {
		stdout, stderr, code := runCommand(t, unusable, append([]string{"healthcheck"}, tt.args...)...)
		if code != tt.code || !strings.Contains(stdout+stderr, tt.want) {
			t.Errorf("%v: exit %d, want %d and %q:\n%s%s", tt.args, code, tt.code, tt.want, stdout, stderr)
		}
	}
	p.stop()
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
	if _, stderr, code := runCommand(t, nil, "healthcheck", "--url", server.URL); code != exitFailed || asked.Load() != 1 {
		t.Errorf("without a wait: exit %d after %d questions: %s", code, asked.Load(), stderr)
	}
	if _, stderr, code := runCommand(t, nil, "healthcheck", "--url", server.URL, "--wait", "1m"); code != exitOK || asked.Load() != 3 {
		t.Errorf("exit %d after %d questions: %s", code, asked.Load(), stderr)
	}
}
