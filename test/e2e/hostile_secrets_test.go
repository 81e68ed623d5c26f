//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
)

// giveaway is in each of the bridge's secrets and in nothing else.
const giveaway = "hunter2"

// echoingAPI starts a MK.IO, or a proxy in front of it, whose error responses echo the request.
func echoingAPI(t *testing.T) string {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `{"error":{"code":"echoed","detail":%q},"ref":%q}`, fmt.Sprint(r.Header.Get("Authorization"), " was sent: ", string(body)), r.Header.Get("Authorization"))
	}))
	t.Cleanup(api.Close)
	return api.URL
}

// No secret is logged, even when every request is refused and NATS is gone.
func TestNoSecretIsLogged(t *testing.T) {
	server := bridgetest.StartNATS(t, `authorization { users: [ {user: me, password: "hunter2-nats"} ] }`)
	withPassword := strings.Replace(server.URL, "nats://", "nats://me:hunter2-nats@", 1)
	p := bridgetest.StartBridge(t, "BRIDGE_NATS_URL="+withPassword, "BRIDGE_LOG_LEVEL=debug", "BRIDGE_PROJECTS=aurora-vod",
		"BRIDGE_WEBHOOK_SECRETS=hunter2-now,hunter2-before", "BRIDGE_WEBHOOK_URL=https://bridge.test", "BRIDGE_ADMIN_TOKEN=hunter2-admin",
		"BRIDGE_MKIO_URL="+echoingAPI(t), "BRIDGE_MKIO_TOKEN=hunter2-token", "BRIDGE_PPROF=true", "BRIDGE_POLL_SWEEP=5s")
	if err := p.AwaitLine(t.Context(), func(line string) bool {
		return strings.Contains(fmt.Sprint(bridgetest.ParseLine(line)["error"]), "echoed")
	}); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"X-Webhook-Secret: hunter2-now", "Authorization: Bearer hunter2-before", "Authorization: Basic hunter2-wrong", "X-Webhook-Secret: hunter2-wrong", "Cookie: hunter2-cookie"} {
		for _, query := range []string{"", "?access_token=hunter2-now", "?access_token=hunter2-wrong"} {
			body := bridgetest.JobDelivery(t, "a", "Finished", nil)
			bridgetest.SendRaw(t, p.WebhookAddr(), fmt.Sprintf("POST %s%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\nTraceparent: 00-%s\r\nContent-Length: %d\r\n\r\n%s", webhookPath, query, secret, giveaway, len(body), body))
		}
	}
	for _, target := range []string{"/v1/resources", "/v1/log-level", "/debug/pprof/cmdline", "/metrics", "/readyz", "/else"} {
		for _, secret := range []string{"Bearer hunter2-admin", "Bearer hunter2-wrong", "hunter2-admin"} {
			for _, method := range []string{"GET", "PUT", "POST"} {
				bridgetest.SendRaw(t, p.Admin, fmt.Sprintf("%s %s?access_token=hunter2-admin&token=hunter2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: %s\r\nContent-Length: 2\r\n\r\n{}", method, target, secret))
			}
		}
	}
	server.Kill()
	p.AwaitLog("NATS disconnected; reconnecting")
	p.AwaitReadiness(http.StatusServiceUnavailable)
	p.StopGracefully()
	lines := strings.Split(strings.TrimSpace(p.Log.String()), "\n")
	if len(lines) < 20 {
		t.Errorf("the log has %d lines", len(lines))
	}
	for _, line := range lines {
		if strings.Contains(line, giveaway) {
			t.Errorf("a secret is in the log: %s", line)
		}
	}
}
