//go:build e2e

package browser

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// What each screen shows is tested in a file of its own. This file has what they share, and what holds for all of them.

// jobKey returns the key of a job of the transform ladder-hd.
func jobKey(t *testing.T, name string) lifecycle.Key {
	t.Helper()
	return keyOf(t, lifecycle.Job, mkiofake.VOD, "ladder-hd", name)
}

func keyOf(t *testing.T, kind lifecycle.Kind, project string, names ...string) lifecycle.Key {
	t.Helper()
	key, err := lifecycle.NewKey(kind, project, names...)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// deliver posts the delivery that MK.IO sends when a resource reaches a state at a time, and checks the status of the response.
func deliver(t *testing.T, b *bridgetest.Bridge, key lifecycle.Key, state string, at time.Time, want int) {
	t.Helper()
	body, err := mkiofake.Sample(key, state, at)
	if err != nil {
		t.Fatal(err)
	}
	if status := b.Deliver(body, "X-Webhook-Secret", webhookSecret); status != want {
		t.Fatalf("the delivery of %s in %s is responded to with %d, want %d", key, state, status, want)
	}
}

// awaitAll waits for texts.
func (p *tab) awaitAll(texts []string) {
	p.t.Helper()
	for _, text := range texts {
		p.await(text)
	}
}

// checkAddress checks that the address is the whole state of a screen: reloaded, after a visit of another screen and back, and
// pasted into another tab it shows the same texts.
func (p *tab) checkAddress(texts ...string) {
	p.t.Helper()
	p.awaitAll(texts)
	address := p.address()
	p.reload()
	p.awaitAll(texts)
	p.click(`nav a:not([aria-current])`)
	p.awaitLoaded()
	if p.address() == address {
		p.t.Error("the menu does not lead to another screen")
	}
	p.back()
	p.until("the address before", fmt.Sprintf(`location.href === %s`, quoted(p.base+address)))
	p.awaitAll(texts)
	open(p.t, p.base, address, look{}).awaitAll(texts)
}

// heading returns the heading of the screen.
func (p *tab) heading() string {
	p.t.Helper()
	return eval[string](p, `document.querySelector("h1").innerText`)
}

// cells returns the texts of a table's cells that have a label, in the order of the rows.
func (p *tab) cells(label string) []string {
	p.t.Helper()
	return eval[[]string](p, fmt.Sprintf(`[...document.querySelectorAll("td")].filter(td => td.dataset.label === %s).map(td => td.innerText.trim())`, quoted(label)))
}

// runShown executes the command that the screen shows as giving the same, as a person who has copied it does, and returns its output.
func (p *tab) runShown(b *bridgetest.Bridge, env ...string) string {
	p.t.Helper()
	command := eval[string](p, `[...document.querySelectorAll(".command code")].at(-1).innerText`)
	if !strings.HasPrefix(command, "mkio-bridge ") {
		p.t.Fatalf("the command is %q", command)
	}
	dir := p.t.TempDir()
	if err := os.Symlink(bridgetest.Program(p.t, bridgetest.BridgePackage), filepath.Join(dir, "mkio-bridge")); err != nil {
		p.t.Fatal(err)
	}
	shell := exec.CommandContext(p.t.Context(), "sh", "-c", command)
	shell.Dir = dir
	shell.Env = slices.Concat(os.Environ(), []string{"PATH=" + dir + ":" + os.Getenv("PATH")}, b.Env(), env)
	output, err := shell.CombinedOutput()
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", command, err, output)
	}
	return string(output)
}

// screenAddresses are the addresses of all screens in the demo.
var screenAddresses = []string{
	"", "?v=resources", "?v=resource&resource=job/aurora-vod/ladder-hd/weather-01", "?v=resource&resource=job/aurora-vod/ladder-hd/weather-01&show=raw",
	"?v=live", "?v=stuck", "?v=stuck&all=1", "?v=webhooks", "?v=notify", "?v=unapplied", "?v=proof", "?v=evidence", "?v=setup",
}

// Every screen fits a wide window and a telephone, in both themes, and axe finds nothing. The tab itself reports violations of the content policy
// and errors.
func TestEveryScreenFitsAndIsAccessible(t *testing.T) {
	t.Parallel()
	console := demo(t)
	awaitScenes(t, console)
	for _, l := range []look{{width: wide}, {width: wide, dark: true}, {width: narrow, height: 844}, {width: narrow, height: 844, dark: true}} {
		t.Run(fmt.Sprintf("%d dark=%t", l.width, l.dark), func(t *testing.T) {
			t.Parallel()
			p := open(t, console, "", l)
			for _, address := range screenAddresses {
				p.goTo(address)
				p.awaitLoaded()
				p.checkWidth()
				p.axe()
			}
		})
	}
}

// checkWidth checks that the page does not scroll sideways, and names what is too wide.
func (p *tab) checkWidth() {
	p.t.Helper()
	overflow := eval[int](p, `document.documentElement.scrollWidth - innerWidth`)
	if overflow <= 0 {
		return
	}
	tooWide := eval[[]string](p, `[...document.querySelectorAll("main *")]
		.filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, pre")).slice(0, 5).map(e => e.outerHTML.slice(0, 200))`)
	p.t.Errorf("%s is %d pixels too wide:\n%s", p.address(), overflow, strings.Join(tooWide, "\n"))
}

// The menu leads to every screen by clicks and by keys alone; back and forward return to the same screens.
func TestMenu(t *testing.T) {
	t.Parallel()
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
