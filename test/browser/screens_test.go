//go:build e2e

package browser

import (
	"strings"
	"testing"
)

// Every screen shows an answer, in both themes and at every width, by its address alone; it fits the width; axe finds nothing.
func TestEveryScreen(t *testing.T) {
	console := demo(t)
	awaitScenes(t, console)
	for _, screen := range pictured {
		t.Run(screen.name, func(t *testing.T) {
			p := open(t, console, screen.address, look{})
			p.awaitLoaded()
			p.axe()
			if address := p.address(); strings.TrimPrefix(address, screen.address) != "" {
				t.Errorf("the address has become %q", address)
			}
			p.must(p.setLook(look{width: narrow, height: 844, dark: true}))
			p.reload()
			p.awaitLoaded()
			p.axe()
			if wider := eval[[]string](p, tooWide); len(wider) > 0 {
				t.Errorf("wider than the window: %q", wider)
			}
		})
	}
}

// tooWide lists the elements that make the page wider than the window; those that scroll by themselves do not.
const tooWide = `document.documentElement.scrollWidth <= innerWidth ? [] :
	[...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth && !e.closest(".scroll, svg *")).map(e => e.outerHTML.slice(0, 100))`

// The menu leads to every screen by clicks and by keys alone; back and forward return to the same screens.
func TestMenu(t *testing.T) {
	p := open(t, demo(t), "", look{})
	p.awaitLoaded()
	p.click(`nav a[href="?v=stuck"]`)
	p.awaitLoaded()
	p.await("harbour-cam")
	p.click(`nav a[href="?v=unapplied"]`)
	p.awaitLoaded()
	p.back()
	p.awaitAddress("v=stuck")
	p.await("harbour-cam")
	p.back()
	p.awaitGone("harbour-cam")
	p.forward()
	p.await("harbour-cam")

	p.goTo("")
	p.awaitLoaded()
	for range 20 {
		p.press("Tab")
		if strings.HasPrefix(p.focused(), "link Proof") {
			break
		}
	}
	p.press("Enter")
	p.awaitAddress("v=proof")
	p.awaitLoaded()
}
