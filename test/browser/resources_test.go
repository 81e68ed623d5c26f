//go:build e2e

package browser

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// Resources shows which resource is in which state since when. Filters and the search are in the address, and the command gives the same rows.
func TestResources(t *testing.T) {
	t.Parallel()
	b, console := startBridge(t)
	p := open(t, console, "?v=resources", look{})
	p.await("The log has no events yet.")
	at := time.Now().Add(-90 * time.Minute)
	deliver(t, b, jobKey(t, "film-01"), "Processing", at, http.StatusNoContent)
	deliver(t, b, jobKey(t, "film-02"), "Finished", at, http.StatusNoContent)
	deliver(t, b, jobKey(t, "trailer-01"), "Error", at, http.StatusNoContent)
	deliver(t, b, keyOf(t, lifecycle.StreamingLocator, mkiofake.VOD, "film-01"), "Created", at, http.StatusNoContent)
	p.await("4 resources are known")
	if ages := p.cells("for"); len(ages) != 4 || !strings.HasPrefix(ages[0], "1 h 30 min") {
		t.Errorf("in their states for %q", ages)
	}

	p.press("/")
	p.press("f", "i", "l", "m")
	p.await("3 resources match")
	p.awaitAddress("name=film")
	if focused := p.focused(); !strings.HasPrefix(focused, "searchbox name contains") {
		t.Errorf("after the search the focus is on %q", focused)
	}
	p.choose("f-kind", "job")
	p.await("2 resources match")
	p.choose("f-phase", "transitional")
	p.await("1 resource matches")
	p.checkAddress("1 resource matches", "film-01", "Processing")
	p.back()
	p.await("2 resources match")
	if names, output := p.cells("name"), p.runShown(b); len(names) != 2 || strings.Count(output, "film-0") != 2 || strings.Contains(output, "trailer") || strings.Contains(output, "locator") {
		t.Errorf("the screen has %q, and the command\n%s", names, output)
	}

	p.goTo("?v=resources&state=error")
	p.await("1 resource matches")
	p.click(`td a[href*="trailer-01"]`)
	p.await("What happened")
	if heading := p.heading(); heading != "trailer-01" {
		t.Errorf("the heading is %q", heading)
	}
	p.goTo("?v=resources&name=none")
	p.await("No resource matches all filters.")
	p.click(`.filters a.button`)
	p.await("4 resources are known")
}

// choose chooses a value of a list.
func (p *tab) choose(id, value string) {
	p.t.Helper()
	p.awaitElement("#" + id)
	eval[bool](p, `(list => { list.value = `+quoted(value)+`; return list.dispatchEvent(new Event("change", {bubbles: true})) })(document.getElementById(`+quoted(id)+`))`)
}

// A list of more than a page is read page after page, each with an address of its own.
func TestPagesOfResources(t *testing.T) {
	t.Parallel()
	b, console := startBridge(t)
	var batch []string
	for i := range 150 {
		body, err := mkiofake.Sample(jobKey(t, "clip-"+string(rune('a'+i/10))+string(rune('0'+i%10))), "Finished", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, string(body))
	}
	response, err := b.Post([]byte("["+strings.Join(batch, ",")+"]"), "Content-Type", "application/cloudevents-batch+json")
	if err != nil || response.Status != http.StatusNoContent {
		t.Fatal(response, err)
	}
	p := open(t, console, "?v=resources", look{})
	p.await("100 of the resources that are known are on this page")
	first := p.cells("name")
	p.click(`nav[aria-label=Pages] a`)
	p.await("50 of the resources that are known are on this page")
	p.checkAddress("50 of the resources that are known are on this page")
	all := slices.Concat(first, p.cells("name"))
	if unique := slices.Compact(slices.Sorted(slices.Values(all))); len(unique) != 150 {
		t.Errorf("the pages have %d different names", len(unique))
	}
	p.click(`nav[aria-label=Pages] a`)
	p.await("100 of the resources")
}
