//go:build e2e

package browser

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/mkio/mkiofake"
)

// Tokens of bridges in tests, and the secret of their webhook.
const (
	adminToken    = "browser-test-admin-token"
	viewerToken   = "browser-test-viewer-token"
	webhookSecret = "browser-test-webhook-secret"
	mkioToken     = "browser-test-mkio-token"
)

// withTokens is the environment of a bridge whose console asks for a token.
var withTokens = []string{"BRIDGE_ADMIN_TOKEN=" + adminToken, "BRIDGE_VIEWER_TOKEN=" + viewerToken}

// startBridge starts a bridge of the test's own and returns it with the URL of its console. It has no simulated MK.IO: it knows
// what the test delivers. Without a token in env everyone on the machine may do everything.
func startBridge(t *testing.T, env ...string) (b *bridgetest.Bridge, console string) {
	t.Helper()
	needChromium(t)
	b = bridgetest.StartBridge(t, env...)
	return b, consoleOf(b.Admin)
}

// startWithMKIO is [startBridge] with a simulated MK.IO, which the bridge polls and whose webhooks it receives from the start. The test changes
// its resources and causes its faults by the fake's methods; nothing changes by itself.
func startWithMKIO(t *testing.T, conf mkiofake.Config, env ...string) (fake *mkiofake.MKIO, b *bridgetest.Bridge, console string) {
	t.Helper()
	needChromium(t)
	conf.Token = mkioToken
	fake = mkiofake.New(conf)
	api := httptest.NewServer(fake)
	t.Cleanup(api.Close)
	running, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- fake.Run(running) }()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
	webhook := bridgetest.FreeAddress(t)
	b = bridgetest.StartBridge(t, append([]string{
		"BRIDGE_MKIO_URL=" + api.URL, "BRIDGE_MKIO_TOKEN=" + mkioToken, "BRIDGE_WEBHOOK_SECRETS=" + webhookSecret,
		"BRIDGE_LISTEN=" + webhook, "BRIDGE_WEBHOOK_URL=" + fmt.Sprintf("http://%s/webhooks/mkio", webhook),
		"BRIDGE_POLL_ACTIVE=1s", "BRIDGE_POLL_SWEEP=1s", "BRIDGE_POLL_FULL=2s",
	}, env...)...)
	for range 2 { // projects
		b.AwaitLog("webhook rule updated")
	}
	return fake, b, consoleOf(b.Admin)
}

// demo returns the URL of the console of mkio-bridge demo --console, which all tests share.
func demo(t *testing.T) (console string) {
	t.Helper()
	needChromium(t)
	console, err := shared.startDemo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return console
}

// consoleOf returns the URL of the console at an admin listener.
func consoleOf(admin string) string { return "http://" + admin + "/console/" }

// signIn begins a session with a token, without the sign-in page, and reloads the page.
func (p *tab) signIn(token string) {
	p.t.Helper()
	status := eval[int](p, fmt.Sprintf(`fetch("../v1/session", {method: "POST", headers: {Authorization: "Bearer " + %s}}).then(r => r.status)`, quoted(token)))
	if status != 200 {
		p.t.Fatalf("the sign-in responds %d", status)
	}
	p.reload()
}
