package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Each secret of a bridge has this in it, and nothing else has.
const giveaway = "hunter2"

// echoingAPI is a MK.IO, or a proxy before it, that repeats in its errors all that it was sent.
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

// Whoever sees the log learns none of the bridge's secrets, whatever goes wrong with them.
func TestNoSecretIsLogged(t *testing.T) {
	server := runNATS(t, `authorization { users: [ {user: me, password: "hunter2-nats"} ] }`)
	withPassword := strings.Replace(server.url, "nats://", "nats://me:hunter2-nats@", 1)
	p := startBridge(t, "BRIDGE_NATS_URL="+withPassword, "BRIDGE_LOG_LEVEL=debug", "BRIDGE_LOG_FORMAT=json", "BRIDGE_PROJECTS=aurora-vod",
		"BRIDGE_WEBHOOK_SECRETS=hunter2-now,hunter2-before", "BRIDGE_WEBHOOK_URL=https://bridge.test", "BRIDGE_ADMIN_TOKEN=hunter2-admin",
		"BRIDGE_MKIO_URL="+echoingAPI(t), "BRIDGE_MKIO_TOKEN=hunter2-token", "BRIDGE_PPROF=true", "BRIDGE_POLL_SWEEP=5s")
	for line := range p.lines { // the API echoed
		if text := fmt.Sprint(line["error"]); strings.Contains(text, "echoed") {
			break
		}
	}
	parsed := make(chan struct{})
	disconnected := make(chan struct{})
	go func() {
		defer close(parsed)
		for line := range p.lines {
			if line["msg"] == "NATS is disconnected; connecting again" {
				close(disconnected)
			}
		}
	}()
	for _, secret := range []string{"X-Webhook-Secret: hunter2-now", "Authorization: Bearer hunter2-before", "Authorization: Basic hunter2-wrong", "X-Webhook-Secret: hunter2-wrong", "Cookie: hunter2-cookie"} {
		for _, query := range []string{"", "?access_token=hunter2-now", "?access_token=hunter2-wrong"} {
			body := jobDelivery(t, "a", "Finished", nil)
			sendRaw(t, p.addr(), fmt.Sprintf("POST %s%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\nTraceparent: 00-%s\r\nContent-Length: %d\r\n\r\n%s", webhookPath, query, secret, giveaway, len(body), body))
		}
	}
	for _, target := range []string{"/v1/resources", "/v1/log-level", "/debug/pprof/cmdline", "/metrics", "/readyz", "/else"} {
		for _, secret := range []string{"Bearer hunter2-admin", "Bearer hunter2-wrong", "hunter2-admin"} {
			for _, method := range []string{"GET", "PUT", "POST"} {
				sendRaw(t, p.admin, fmt.Sprintf("%s %s?access_token=hunter2-admin&token=hunter2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: %s\r\nContent-Length: 2\r\n\r\n{}", method, target, secret))
			}
		}
	}
	if err := server.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-disconnected
	p.stop()
	<-parsed
	if len(p.said) < 20 {
		t.Errorf("the log has %d lines", len(p.said))
	}
	for _, line := range p.said {
		if strings.Contains(line, giveaway) {
			t.Errorf("a secret is in the log: %s", line)
		}
	}
}
