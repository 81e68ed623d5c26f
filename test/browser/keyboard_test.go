//go:build e2e

package browser

import (
	"fmt"
	"testing"

	"mkio-bridge/internal/bridgetest"
)

// tabTo presses Tab until the focus is on an element that matches a CSS selector. Each element on the way must show its focus, and
// be inside the window.
func (p *tab) tabTo(selector string) {
	p.t.Helper()
	for range 150 {
		p.press("Tab")
		on := eval[struct {
			There, Shown bool
			What         string
		}](p, fmt.Sprintf(`(() => {
			const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
			const drawn = s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0, bar = e.querySelector?.(".bed, .end");
			return {
				there: e.matches(%s), what: e.outerHTML.slice(0, 120),
				shown: e === document.body || (drawn || Boolean(bar && parseFloat(getComputedStyle(bar).strokeWidth) > 1)) && r.bottom > 0 && r.top < innerHeight,
			};
		})()`, quoted(selector)))
		if !on.Shown {
			p.t.Errorf("%s: the focus on %s is not visible", p.address(), on.What)
		}
		if on.There {
			return
		}
	}
	p.t.Fatalf("%s: the Tab key does not lead to %s", p.address(), selector)
}

// awaitHeading waits for a screen that was reached by a key: the focus is on its heading, where a screen reader goes on.
func (p *tab) awaitHeading(text string) {
	p.t.Helper()
	p.until("the focus on the heading "+text, fmt.Sprintf(`document.activeElement.tagName === "H1" && document.activeElement.textContent === %s`, quoted(text)))
	p.awaitLoaded()
}

// The keyboard alone leads from Now to the payload of an event, and back.
func TestKeyboardAlone(t *testing.T) {
	b, console := startBridge(t)
	for i, state := range []string{"Processing", "Finished"} {
		b.Deliver(bridgetest.JobDelivery(t, "ep-1", state, func(delivery map[string]any) {
			delivery["id"], delivery["time"] = fmt.Sprint("d-", i), fmt.Sprintf("2026-03-04T10:00:0%dZ", i)
		}))
	}
	deliverJob(t, b, "other")
	p := open(t, console, "", look{})
	p.awaitLoaded()
	p.tabTo("a.skip")
	p.press("Enter")
	p.until("the focus on the content", `document.activeElement.id === "main"`)
	p.reload()
	p.awaitLoaded()
	p.tabTo(`nav a[href="?v=resources"]`)
	p.press("Enter")
	p.awaitHeading("Resources")

	p.press("/")
	p.until("the focus on the search", `document.activeElement.id === "search"`)
	p.press("ep-1")
	p.awaitAddress("name=ep-1")
	p.awaitGone("other")
	p.tabTo("#f-kind")
	p.press("j") // job
	p.awaitAddress("kind=job")
	p.tabTo("td.name a")
	p.press("Enter")
	p.awaitHeading("ep-1")

	p.tabTo(".timeline .stay")
	p.press("Enter")
	p.awaitAddress("event=1")
	p.await("Event 1")
	p.tabTo(".timeline .stay")
	p.press(" ")
	p.awaitAddress("event=2")
	p.tabTo("td button.plain")
	p.press("Enter")
	p.tabTo(`.tabs a[href*="show=raw"]`)
	p.press("Enter")
	p.awaitAddress("show=raw")
	p.tabTo("pre")
	p.await(`"specversion":"1.0"`)
	p.axe()
	p.back()
	p.back()
	p.until("the former screen", `document.querySelector("h1").textContent === "Resources"`)
	p.awaitAddress("kind=job")

	p.goTo("?v=stuck")
	p.awaitLoaded()
	p.press("/") // a screen without a search leads to one
	p.until("the focus on the search", `document.activeElement.id === "search"`)
	p.awaitAddress("v=resources")
}
