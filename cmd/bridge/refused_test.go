package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/edge"
)

// serveLogged serves a bridge that logs at the default level.
func serveLogged(t *testing.T, change func(*config)) (b *bridge, addr string, logs *bridgetest.Buffer) {
	t.Helper()
	logs = &bridgetest.Buffer{}
	b = openWith(t, change)
	b.log = slog.New(slog.NewTextHandler(logs, nil))
	var err error
	if b.ingest, err = b.newIngest(); err != nil {
		t.Fatal(err)
	}
	b.metrics = newRegistry(b.ingest.Collectors(), []prometheus.Collector{b.tlsFailures})
	addr, _ = serve(t, b)
	return b, addr, logs
}

// counterSum returns the sum of a counter's series; with a label value, of those that have it.
func counterSum(t *testing.T, b *bridge, name, label string) (sum float64) {
	t.Helper()
	families, err := b.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			matches := label == ""
			for _, l := range m.GetLabel() {
				matches = matches || l.GetValue() == label
			}
			if family.GetName() == name && matches {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// The URL of a registered rule may end in a slash.
func TestTrailingSlashIsAccepted(t *testing.T) {
	b, addr, _ := serveForTest(t, nil)
	raw := rawDelivery("Connection: close\r\n", jobDelivery(t, "slash", "Finished", nil))
	if response := sendRaw(t, addr, strings.Replace(raw, webhookPath, webhookPath+"/", 1)); statusOf(response) != http.StatusNoContent {
		t.Errorf("responses %q", response)
	}
	if names := jobNames(t, b); !slices.Contains(names, "slash") {
		t.Errorf("the log has %q", names)
	}
}

// A URL at which the bridge itself would respond 404 is refused, before it is registered.
func TestWebhookURLWithAnUnservedPathIsRefused(t *testing.T) {
	t.Setenv("BRIDGE_WEBHOOK_SECRETS", "REDACT-ME")
	for _, url := range []string{"https://b.test/prefix", "https://b.test/webhooks", "https://b.test/webhooks/mkio/x"} {
		t.Setenv("BRIDGE_WEBHOOK_URL", url)
		wantOutput(t, exitUsage, []string{"BRIDGE_WEBHOOK_URL", "404", webhookPath}, "config")
	}
}

// A delivery that the listener refuses is counted, and logged at the default level without anything that may be secret.
func TestRefusedRequestsAreCountedAndLogged(t *testing.T) {
	delivery := rawDelivery("Connection: close\r\n", jobDelivery(t, "nearly", "Finished", nil))
	at := func(target string) string { return strings.Replace(delivery, webhookPath, target, 1) }
	tests := []struct {
		name, raw string
		status    int
		word      string // of the line
	}{
		{"a prefix", at("/prefix" + webhookPath + "?access_token=hunter2"), http.StatusNotFound, webhookPath},
		{"two slashes", at(webhookPath + "//"), http.StatusNotFound, webhookPath},
		{"no path", at("/"), http.StatusNotFound, webhookPath},
		{"a wrong secret", strings.Replace(at(webhookPath+"?access_token=hunter2"), demoSecret, "wrong", 1), http.StatusUnauthorized, "secret"},
		{"not JSON", strings.Replace(delivery, "application/json", "text/plain", 1), http.StatusUnsupportedMediaType, "JSON"},
		{"a header too large", strings.Replace(delivery, "Host:", "X-Large: "+strings.Repeat("x", 2*edge.MaxHeaderBytes)+"\r\nHost:", 1), http.StatusRequestHeaderFieldsTooLarge, "header"},
		{"two lengths", strings.Replace(delivery, "Host:", "Content-Length: 1\r\nHost:", 1), http.StatusBadRequest, "header"},
		{"no HTTP", "hello\r\n\r\n", http.StatusBadRequest, "header"},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", http.StatusHTTPVersionNotSupported, "HTTP/1.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, addr, logs := serveLogged(t, nil)
			if response := sendRaw(t, addr, tt.raw); statusOf(response) != tt.status {
				t.Fatalf("responses %q", response)
			}
			bridgetest.Eventually(t, "the refusal is counted", func() bool {
				return counterSum(t, b, "mkio_bridge_webhook_requests_total", fmt.Sprint(tt.status)) == 1
			})
			var refused []string
			for line := range strings.Lines(logs.String()) {
				if strings.Contains(line, "level=WARN") && strings.Contains(line, fmt.Sprintf("status=%d", tt.status)) && strings.Contains(line, tt.word) {
					refused = append(refused, line)
				}
			}
			if len(refused) != 1 || strings.Contains(logs.String(), "hunter2") {
				t.Errorf("the log has %s", logs)
			}
		})
	}
}

// A failed TLS handshake is counted. A client that completes the handshake and closes is not.
func TestFailedTLSHandshakesAreCounted(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	writeCertificate(t, cert, key, 1)
	b, addr, logs := serveLogged(t, func(c *config) { c.TLSCert, c.TLSKey = cert, key })
	probe, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	probe.Close()
	if _, err := tls.Dial("tcp", addr, &tls.Config{ServerName: "bridge.test"}); err == nil {
		t.Fatal("a self-signed certificate is trusted")
	}
	if response := sendRaw(t, addr, rawDelivery("", []byte("{}"))); statusOf(response) != http.StatusBadRequest {
		t.Errorf("responses to a request without TLS: %q", response)
	}
	bridgetest.Eventually(t, "both failures are counted", func() bool { return counterSum(t, b, "mkio_bridge_webhook_tls_failures_total", "") == 2 })
	if !strings.Contains(logs.String(), "level=WARN") {
		t.Errorf("the log has %s", logs)
	}
}
