//go:build e2e

package browser

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// Now answers whether someone must act. It counts the events of the last hour by their source, what is stuck, unapplied and in motion, and
// says what a gap is and what to do about it.
func TestNow(t *testing.T) {
	t.Parallel()
	fake, b, console := startWithMKIO(t, mkiofake.Config{})
	p := open(t, console, "", look{})
	p.awaitLoaded()
	p.await("Healthy")
	if heading := p.heading(); heading != "Now" {
		t.Errorf("the heading is %q", heading)
	}

	fake.Create(jobKey(t, "ep-0417"), "Queued")
	fake.Move(jobKey(t, "ep-0417"), "Processing")
	forgotten := jobKey(t, "forgotten")
	deliver(t, b, forgotten, "Processing", time.Now().AddDate(0, 0, -3), http.StatusNoContent)
	deliver(t, b, jobKey(t, "ep-0417"), "Processing", time.Now().Add(-time.Hour), http.StatusAccepted) // of another life, which is over
	fake.Forbid(mkiofake.VOD, lifecycle.Asset, true)
	p.until("an unapplied delivery", figure("unapplied")+` === "1"`)
	p.until("an event by webhook", `document.querySelector("main svg[aria-label*='by webhook']")?.getAttribute("aria-label").match(/ ([1-9]\d*) by webhook/) !== null`)
	p.until("a gap", `Number(`+figure("open gaps")+`) > 0`)
	p.await("403")
	answer := eval[string](p, `document.querySelector("p.answer").innerText`)
	if strings.HasPrefix(answer, "Nothing needs you") {
		t.Errorf("with a gap the answer is %q", answer)
	}
	for _, word := range []string{"Not complete", "Not proven yet"} {
		if strings.Contains(p.text(), word) {
			return
		}
	}
	t.Errorf("the verdict does not say that the log may not be complete:\n%s", p.text())
}

// figure is JavaScript for a number of the screen Now.
func figure(name string) string {
	return `[...document.querySelectorAll(".figures div")].find(d => d.querySelector("dt").innerText === ` + quoted(name) + `)?.querySelector("dd").innerText`
}

// Without a project and without an event Now says so, and what to do.
func TestNowOfAnEmptyLog(t *testing.T) {
	t.Parallel()
	b, console := startBridge(t)
	p := open(t, console, "", look{})
	p.checkAddress("No project is polled.", "No events in the last hour.")
	p.click(`a[href="?v=webhooks"]`)
	p.await("No project is polled, so no rule is known.")
	p.goTo("")
	deliver(t, b, jobKey(t, "ep-0417"), "Processing", time.Now(), http.StatusNoContent)
	p.awaitGone("No events in the last hour.")
	p.until("one in motion", figure("in motion")+` === "1"`)
	p.click(`a[href^="?v=resources&phase="]`)
	p.await("ep-0417")
}
