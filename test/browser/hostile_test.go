//go:build e2e

package browser

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
)

// hostileNames are names of jobs as someone may choose them who wants a page, a link or a reader to do something else.
var hostileNames = []string{
	`<script>globalThis.hacked = 1</script>`,
	`<img src=x onerror=globalThis.hacked=1>`,
	`"'><b autofocus onfocus="globalThis.hacked=1">`,
	"\u202Egpj.exe",  // reverses what follows, unless it is isolated
	"\U0001D518-🎬-é", // four bytes in UTF-8, two units in JavaScript
	`a%2Fb`, `a/b`, `..`,
	`javascript:globalThis.hacked=1`,
	`?v=setup&resource=x#fragment`,
	"name  with spaces",
	`${hacked = 1} {{7*7}}`,
	strings.Repeat("x", 500),
}

// hostileState is a state that no version of MK.IO is known to have.
var hostileState = `<b onclick="hacked=1">` + strings.Repeat("State", 40)

// deliverHostile delivers a job of each name, in motion or in a state of choice, and returns the names that the bridge takes.
func deliverHostile(t *testing.T, b *bridgetest.Bridge) (taken []string) {
	t.Helper()
	for i, name := range hostileNames {
		state := []string{"Processing", "", hostileState}[i%3]
		body := bridgetest.JobDelivery(t, url.PathEscape(name), state, func(delivery map[string]any) {
			delivery["id"] = fmt.Sprint("hostile-", i)
			delivery["data"].(map[string]any)["error"] = map[string]any{"code": "<b>code</b>", "message": name}
		})
		switch status := b.Deliver(body); status {
		case http.StatusNoContent:
			taken = append(taken, name)
		case http.StatusAccepted, http.StatusBadRequest: // stored as unapplied
		default:
			t.Errorf("delivery of %q: status %d", name, status)
		}
	}
	for _, body := range []string{
		`{"specversion": "1.0", "<script>globalThis.hacked = 1</script>": "` + strings.Repeat("long", 500) + `"`,
		"\u202E<img src=x onerror=globalThis.hacked=1> \x00 ${hacked = 1}",
	} {
		if status := b.Deliver([]byte(body)); status != http.StatusBadRequest {
			t.Errorf("delivery of %q: status %d", body, status)
		}
	}
	if len(taken) < len(hostileNames)-3 { // those with a slash are no names
		t.Fatalf("only %q became events", taken)
	}
	return taken
}

// checkHarmless fails the test if a name has become code or markup, or if something is wider than the window.
func (p *tab) checkHarmless() {
	p.t.Helper()
	found := eval[[]string](p, `[
		...(globalThis.hacked === undefined ? [] : ["a script was executed"]),
		...[...document.querySelectorAll("main script, main img, main b, main i:not([aria-hidden]), main [onclick], main [onerror], main [onfocus]")].map(e => "an element: " + e.outerHTML),
		...[...document.querySelectorAll("a[href]")].filter(a => new URL(a.href).origin !== location.origin || !/^https?:$/.test(new URL(a.href).protocol)).map(a => "a link to " + a.href),
		...(document.documentElement.scrollWidth > innerWidth ? ["the page is " + document.documentElement.scrollWidth + " wide"] : []),
		...[...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, pre, svg, .sr, thead")).map(e => "too wide: " + e.outerHTML.slice(0, 200)),
	]`)
	for _, problem := range found {
		p.t.Errorf("%s: %s", p.address(), problem)
	}
}

// Hostile names, states and bodies are text on every screen: nothing is executed, nothing overflows, and links lead to what
// they name.
func TestHostileInput(t *testing.T) {
	t.Parallel()
	b, console := startBridge(t)
	p := open(t, console, "?v=live", look{})
	p.await("Connected")
	names := deliverHostile(t, b)
	p.until("all events", fmt.Sprintf(`document.querySelectorAll("main tbody tr").length === %d`, len(names)))
	p.checkHarmless()
	for _, l := range []look{{}, {width: narrow}} {
		p.must(p.setLook(l))
		for _, address := range []string{"", "?v=resources", "?v=stuck&all=1", "?v=unapplied", "?v=webhooks", "?v=proof", "?v=setup", "?v=evidence"} {
			p.goTo(address)
			p.awaitLoaded()
			p.checkHarmless()
		}
		p.goTo("?v=unapplied")
		for _, sequence := range []int{1, 2} {
			p.click(fmt.Sprintf(`a[href*="sequence=%d"]`, sequence))
			p.await(fmt.Sprint("Delivery ", sequence))
			p.checkHarmless()
		}
	}
	p.must(p.setLook(look{}))
	for i, name := range names {
		p.goTo("?v=resources")
		p.awaitElement("td.name a")
		p.execute(fmt.Sprintf(`[...document.querySelectorAll("td.name a")].find(a => a.querySelector(":scope > bdi:last-child").textContent === %s).click()`, quoted(name)))
		p.until("the resource "+name, fmt.Sprintf(`document.querySelector("h1").textContent === %s && document.querySelector("main .asof time") !== null`, quoted(name)))
		if i%4 == 0 {
			p.reload() // the address has it too
		}
		p.await("The chain of hashes holds.")
		p.checkHarmless()
		command := eval[string](p, `document.querySelector("main > .command code").textContent`)
		if resource, ok := strings.CutPrefix(command, "mkio-bridge events --resource "); !ok || strings.ContainsAny(resource, "<>\" ;$&|") && !strings.HasPrefix(resource, "'") {
			t.Errorf("%q: the command is %q", name, command)
		}
	}
}

// Addresses that no link of the page has are harmless: they show an empty screen, or an error that says what is wrong.
func TestHostileAddresses(t *testing.T) {
	_, console := startBridge(t)
	p := open(t, console, "", look{})
	p.expect(refusals) // the API refuses them
	for _, address := range []string{
		"?v=__proto__", "?v=constructor", "?v=<script>", "?v=resources&kind=<script>hacked=1</script>", "?v=resources&phase=none&after=x",
		"?v=resource", "?v=resource&resource=%", "?v=resource&resource=job//x", "?v=resource&resource=job/p/%25E0%25A4%25A", "?v=resource&resource=job/a/b/c&event=x&show=y",
		"?v=proof&since=2026-99-99", "?v=proof&since=x&until=y", "?v=evidence&job=<b>", "?v=unapplied&sequence=../session", "?v=unapplied&sequence=-1&reason=toString",
		"?v=live&kind=<b>&name=" + strings.Repeat("y", 3000), "?v=setup&job=../../x&setting=(", "?v=webhooks&since=x&project=<b>", "?v=now&tz=Mars", "?v=stuck&kind=x", "?tz=local&v=live",
	} {
		p.goTo(address)
		p.until("a heading and no wait", `(document.querySelector("h1")?.textContent ?? "") !== "" && document.querySelector("[aria-busy=true]") === null`)
		p.checkHarmless()
	}
}
