//go:build e2e

package browser

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// Live shows each event as it is recorded. A pause keeps what is on the screen and counts what comes.
func TestLive(t *testing.T) {
	t.Parallel()
	b, console := startBridge(t)
	p := open(t, console, "?v=live", look{})
	p.await("● Connected")
	p.await("Waiting for the next event.")
	deliver(t, b, jobKey(t, "film-01"), "Processing", time.Now(), http.StatusNoContent)
	p.await("1 event since this screen was opened.")
	p.await("film-01")
	deliver(t, b, jobKey(t, "film-01"), "Finished", time.Now(), http.StatusNoContent)
	p.await("2 events since this screen was opened.")
	if to, from := p.cells("to"), p.cells("from"); strings.Join(to, " ") != "Finished Processing" || strings.Join(from, " ") != "Processing new" {
		t.Errorf("from %q to %q", from, to)
	}

	p.clickButton("Pause")
	deliver(t, b, jobKey(t, "film-02"), "Error", time.Now(), http.StatusNoContent)
	p.await("Go on (1 new)")
	p.await("Paused: 1 event since then.")
	if names := p.cells("resource"); len(names) != 2 {
		t.Errorf("paused, it shows %q", names)
	}
	p.clickButton("Go on (1 new)")
	p.await("film-02")

	p.choose("f-phase", "succeeded")
	p.awaitAddress("phase=succeeded")
	p.awaitGone("film-02")
	if names := p.cells("resource"); len(names) != 1 || !strings.Contains(names[0], "film-01") {
		t.Errorf("of phase succeeded: %q", names)
	}
	p.checkAddress("● Connected", "mkio-bridge events --follow --phase succeeded")
	deliver(t, b, jobKey(t, "film-03"), "Finished", time.Now(), http.StatusNoContent)
	p.await("film-03")
	p.click(`td[data-label=to] a`)
	p.await("What happened")
	if heading, address := p.heading(), p.address(); heading != "film-03" || !strings.Contains(address, "event=") {
		t.Errorf("%s: the heading is %q", address, heading)
	}
}

// clickButton clicks a button by its text.
func (p *tab) clickButton(text string) {
	p.t.Helper()
	button := `[...document.querySelectorAll("button")].find(b => b.innerText.trim() === ` + quoted(text) + ` && !b.disabled)`
	p.until("a button "+quoted(text), button+` !== undefined`)
	eval[bool](p, `(`+button+`.click(), true)`)
}
