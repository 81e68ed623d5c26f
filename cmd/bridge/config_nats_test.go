package main

import (
	"net"
	"strings"
	"testing"
)

// Invalid NATS settings are refused before anything is connected.
func TestInvalidNATSSettingsAreRefused(t *testing.T) {
	tests := []struct{ name, value, url, want string }{
		{"BRIDGE_NATS_DOMAIN", "hub", "", "BRIDGE_NATS_URL"},
		{"BRIDGE_NATS_DOMAIN", "hub.x", "nats://127.0.0.1:1", "one token"},
		{"BRIDGE_NATS_DOMAIN", "*", "nats://127.0.0.1:1", "one token"},
		{"BRIDGE_NATS_TLS_FIRST", "true", "", "BRIDGE_NATS_URL"},
		{"BRIDGE_NATS_TLS_FIRST", "first", "nats://127.0.0.1:1", "invalid value"},
		{"BRIDGE_STREAM_MAX_BYTES", "1KiB", "", "1MiB or more"},
		{"BRIDGE_STREAM_MAX_BYTES", "many", "", "a size such as"},
	}
	for _, tt := range tests {
		t.Run(tt.name+" "+tt.value, func(t *testing.T) {
			t.Setenv(tt.name, tt.value)
			if tt.url != "" {
				t.Setenv("BRIDGE_NATS_URL", tt.url)
			}
			wantOutput(t, exitUsage, []string{tt.name, tt.want}, "config")
		})
	}
}

// A NATS server that sends nothing may require TLS first.
func TestSilentNATSSuggestsTLSFirst(t *testing.T) {
	silent := silentPort(t)
	t.Setenv("BRIDGE_NATS_URL", "nats://"+silent)
	out, errs, code := runCommand(t, "events")
	if code != exitUnreachable || !strings.Contains(errs, "BRIDGE_NATS_TLS_FIRST") || !strings.Contains(errs, silent) {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
}

// silentPort closes every connection without sending anything, as a server with handshake_first does when the client starts
// no TLS handshake.
func silentPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}
