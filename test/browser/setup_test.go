//go:build e2e

package browser

import (
	"strings"
	"testing"

	"mkio-bridge/internal/mkio/mkiofake"
)

// Setup checks the installation when an administrator asks, and shows the settings without their secrets. A viewer sees the result.
func TestSetup(t *testing.T) {
	t.Parallel()
	_, _, console := startWithMKIO(t, mkiofake.Config{}, withTokens...)
	p := newTab(t, console, look{})
	p.goTo("?v=setup")
	p.await("Sign in to mkio-bridge")
	p.expect("401")
	p.signIn(adminToken)
	p.await("Not known: no check of this installation is on record. Run one.")
	p.clickButton("Check now")
	p.awaitAddress("job=doctor-")
	p.until("the end of the check", `/\d+ checks passed|of \d+ failed/.test(document.querySelector("p.answer").innerText)`)
	results := p.cells("result")
	if len(results) < 5 || !strings.Contains(strings.Join(results, " "), "✓ ok") {
		t.Errorf("the results are %q", results)
	}
	address := p.address()

	p.press("/")
	for _, r := range "webhook_secrets" {
		p.press(string(r))
	}
	p.awaitAddress("setting=webhook_secrets")
	p.await("BRIDGE_WEBHOOK_SECRETS")
	p.awaitGone("BRIDGE_POLL_RATE")
	for _, secret := range []string{webhookSecret, mkioToken, adminToken, viewerToken} {
		if strings.Contains(eval[string](p, `document.documentElement.outerHTML`), secret) {
			t.Errorf("the page has the secret %s", secret)
		}
	}

	viewer := newTab(t, console, look{})
	viewer.goTo(address)
	viewer.signIn(viewerToken)
	viewer.until("the result for a viewer", `/checks passed|failed/.test(document.querySelector("p.answer")?.innerText)`)
	viewer.await("Viewers may not start it: sign in with the admin token.")
	if !eval[bool](viewer, `[...document.querySelectorAll("button")].find(b => b.innerText === "Check now").disabled`) {
		t.Error("a viewer may press the button")
	}
	if status := eval[int](viewer, `fetch("../v1/doctor", {method: "POST"}).then(r => r.status)`); status != 403 {
		t.Errorf("the server responds %d to a viewer", status)
	}
}
