//go:build e2e

package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
)

// refusals are what the browser itself reports of requests that a bridge refuses.
const refusals = "Failed to load resource"

// give types a token into the form, and sends it.
func (p *tab) give(token string) {
	p.t.Helper()
	p.awaitElement("#token")
	p.execute(`document.querySelector("#token").select()`)
	p.press(token, "Enter")
}

// A person signs in with the token, and the page keeps it nowhere. A wrong one is refused with a word, and another may follow.
func TestSignIn(t *testing.T) {
	_, console := startBridge(t, withTokens...)
	p := open(t, console, "?v=stuck&all=1", look{})
	p.expect(refusals)
	p.await("Sign in to mkio-bridge")
	p.axe()
	if p.focused() == "" || eval[string](p, `document.activeElement.id`) != "token" {
		t.Errorf("the focus is on %q", p.focused())
	}
	if strings.Contains(p.text(), "without TLS") {
		t.Error("a warning of plain HTTP on loopback")
	}
	p.press("Enter") // the browser asks for a value
	p.give("no-token-of-this-bridge")
	p.await("This is not a token of this bridge.")
	p.give("two words")
	p.await("A token has no spaces")
	p.give(" " + adminToken + " ") // as it may be copied
	p.await("You may do everything")
	p.awaitLoaded()
	p.await("Nothing is in motion.")
	if address := p.address(); address != "?v=stuck&all=1" {
		t.Errorf("after the sign-in the address is %q", address)
	}
	checkTokenIsNowhere(p, adminToken)
	p.reload()
	p.await("You may do everything")
	checkTokenIsNowhere(p, adminToken)

	p.click(".who button")
	p.await("Sign in to mkio-bridge")
	p.awaitGone("Nothing is in motion.")
	p.reload()
	p.await("Sign in to mkio-bridge")
}

// checkTokenIsNowhere looks for a token where a script, an extension or the next user of the browser could find it.
func checkTokenIsNowhere(p *tab, token string) {
	p.t.Helper()
	kept := eval[string](p, `(async () => JSON.stringify([
		document.documentElement.outerHTML, [...document.querySelectorAll("input")].map(i => i.value), location.href, document.cookie,
		{...localStorage}, {...sessionStorage}, history.state, performance.getEntries().map(e => e.name),
		(await indexedDB.databases()).map(d => d.name), await caches.keys(),
	]))()`)
	if strings.Contains(kept, token) {
		p.t.Errorf("the page keeps the token: %s", kept)
	}
	if cookie := eval[string](p, `document.cookie`); cookie != "" {
		p.t.Errorf("scripts can read the cookie %s", cookie)
	}
}

// When the session ends, by a cookie that is gone or a token that was rotated, the page asks for a token with the reason, shows
// no data, and goes on at the same address.
func TestEndedSession(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(adminToken)
	b, console := startBridge(t, "BRIDGE_ADMIN_TOKEN_FILE="+file, "BRIDGE_VIEWER_TOKEN="+viewerToken)
	b.Deliver(bridgetest.JobDelivery(t, "ep-1", "Finished", nil))
	p := newTab(t, console, look{})
	p.goTo("")
	p.signIn(adminToken)
	p.goTo("?v=resources&name=ep-1")
	p.await("ep-1")
	live := p.another("?v=live")
	live.await("Connected")

	eval[int](p, `fetch("../v1/session", {method: "DELETE"}).then(r => r.status)`)
	p.await("send the admin or viewer token")
	p.awaitGone("ladder-hd")
	live.await("Sign in to mkio-bridge")
	p.give(adminToken)
	p.await("ep-1")
	if address := p.address(); address != "?v=resources&name=ep-1" {
		t.Errorf("after the sign-in the address is %q", address)
	}
	live.reload()
	live.await("Connected")

	write("another-admin-token")
	p.await("its token was replaced: sign in again")
	live.await("its token was replaced: sign in again")
	p.give(adminToken)
	p.await("This is not a token of this bridge.")
	p.give("another-admin-token")
	p.await("ep-1")
	live.give("another-admin-token")
	live.await("Connected")
	b.Deliver(bridgetest.JobDelivery(t, "ep-2", "Finished", nil))
	live.await("ep-2")
}

// A viewer reads everything. Buttons that would change something are disabled, and the bridge refuses what they would send.
func TestViewer(t *testing.T) {
	b, console := startBridge(t, slices.Concat(withTokens, []string{"BRIDGE_WEBHOOK_SECRETS=" + webhookSecret})...)
	if status := b.Deliver([]byte(`{"no": "delivery"}`), "X-Webhook-Secret", webhookSecret); status != http.StatusBadRequest {
		t.Fatalf("status %d", status)
	}
	p := open(t, console, "?v=unapplied", look{})
	p.expect(refusals)
	p.give(viewerToken)
	p.await("You may read")
	p.await("malformed")
	p.await("Viewers may not retry")
	if enabled := eval[int](p, `[...document.querySelectorAll("main button")].filter(b => !b.disabled && b.innerText.trim() !== "copy").length`); enabled != 0 {
		t.Errorf("%d buttons are enabled:\n%s", enabled, p.text())
	}
	for _, forced := range []string{"Preview", "Retry"} {
		p.execute(fmt.Sprintf(`(() => { const b = [...document.querySelectorAll("main button")].find(b => b.innerText.trim().startsWith(%q)); b.disabled = false; b.click(); })()`, forced))
		p.await("viewers may not do this: use the admin token")
	}
	p.goTo("?v=setup")
	p.await("Viewers may not start it")
	p.execute(`(() => { const b = document.querySelector("button.primary"); b.disabled = false; b.click(); })()`)
	p.await("The check was not started.")
	p.await("viewers may not do this: use the admin token")
	for _, secret := range []string{webhookSecret, adminToken, viewerToken} {
		if strings.Contains(p.text(), secret) {
			t.Error("the settings show a secret")
		}
	}
	p.goTo("?v=proof")
	p.awaitLoaded()
	p.click(`main .card .row button`) // a verification only reads
	p.await("Whole")
}

// Beyond loopback without TLS, the page warns before someone types the token; it works all the same.
func TestPlainHTTPBeyondLoopback(t *testing.T) {
	b, console := startBridge(t, withTokens...)
	p := open(t, strings.Replace(console, "127.0.0.1", beyondLoopback, 1), "?v=live", look{})
	p.expect(refusals)
	p.expect("The Cross-Origin-Opener-Policy header has been ignored") // it needs TLS
	p.await("This page was loaded without TLS.")
	p.axe()
	p.give(viewerToken)
	p.await("Connected")
	b.Deliver(bridgetest.JobDelivery(t, "ep-1", "Finished", nil))
	p.await("ep-1")
	p.click(".command button") // without TLS there is no clipboard
	p.await("selected")
	if selected := eval[string](p, `getSelection().toString()`); selected != "mkio-bridge events --follow" {
		t.Errorf("selected: %q", selected)
	}
}

// Without a token, on a listener that is not on loopback, there is no /v1: the page says what to do.
func TestConsoleWithoutAPI(t *testing.T) {
	b, _ := startBridge(t, "BRIDGE_ADMIN_LISTEN=0.0.0.0:0")
	p := open(t, consoleOf("127.0.0.1:"+b.Admin[strings.LastIndex(b.Admin, ":")+1:]), "", look{})
	p.expect(refusals)
	p.await("set BRIDGE_ADMIN_TOKEN")
	p.execute(`globalThis.waited = new Promise(done => setTimeout(done, 1500))`) // the page is drawn again each second
	eval[bool](p, `waited.then(() => true)`)
	p.axe()
	p.await("set BRIDGE_ADMIN_TOKEN")
}

// A page of another origin, with the cookie of a session at hand, cannot read, change or embed anything.
func TestForeignPage(t *testing.T) {
	t.Parallel()
	b, console := startBridge(t, withTokens...)
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<!doctype html><title>Foreign</title><p>a foreign page</p><iframe src=%q></iframe>`, console)
	}))
	t.Cleanup(foreign.Close)
	p := newTab(t, console, look{})
	p.goTo("")
	p.signIn(adminToken)
	p.await("You may do everything")
	p.goTo(foreign.URL)
	p.await("a foreign page")
	got := eval[map[string]string](p, fmt.Sprintf(`(async () => {
		const api = %q, within = (answer) => Promise.race([answer, new Promise(done => setTimeout(done, 5000, "no answer"))]);
		const read = (path, options) => within(fetch(api + path, options).then(r => r.type + " " + r.status, () => "refused"));
		return {
			read: await read("/v1/resources", {credentials: "include"}),
			change: await read("/v1/log-level?level=debug", {method: "PUT", credentials: "include"}),
			post: await read("/v1/verify", {method: "POST", credentials: "include"}),
			simplePost: await read("/v1/verify", {method: "POST", credentials: "include", mode: "no-cors"}),
			stream: await within(new Promise(done => { const events = new EventSource(api + "/v1/events", {withCredentials: true}); events.onopen = () => done("open"); events.onerror = () => done("refused"); })),
			script: await within(new Promise(done => { const s = document.createElement("script"); s.src = api + "/v1/config"; s.onload = () => done("loaded"); s.onerror = () => done("refused"); document.head.append(s); })),
			frame: (() => { try { return String(frames[0].document.title); } catch { return "refused"; } })(),
		};
	})()`, "http://"+b.Admin))
	for what, answer := range got {
		if answer != "refused" && answer != "opaque 0" {
			t.Errorf("a foreign page can %s: %s", what, answer)
		}
	}
	p.goTo(console)
	if jobs := eval[string](p, `fetch("../v1/jobs").then(r => r.text())`); strings.Contains(jobs, "verify") {
		t.Errorf("a foreign page has started a job: %s", jobs)
	}
	if !awaitProblem(p, "frame-ancestors") && !awaitProblem(p, "frame") {
		t.Errorf("the page was embedded: %s", strings.Join(p.found(), "\n"))
	}
}
