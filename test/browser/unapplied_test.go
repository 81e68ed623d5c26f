//go:build e2e

package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
)

// Unapplied shows what was stored, why, and its body as it was received. A preview says what a retry would do and writes nothing; a retry goes
// through the deliveries in their order, with the result of each.
func TestUnapplied(t *testing.T) {
	t.Parallel()
	b, console := startBridge(t)
	p := open(t, console, "?v=unapplied", look{})
	p.await("No delivery is stored: each became an event, repeated one, or was removed from here.")
	storeUnapplied(t, b)
	p.await("4 deliveries are stored that became no event: 2 late, 1 malformed, 1 unrecognised. Nothing that was acknowledged is lost.")
	p.click(`td a[href*="sequence=4"]`)
	p.await("Delivery 4")
	p.await(`"projectName": 9007199254740993`)
	p.checkAddress("Delivery 4", `"projectName": 9007199254740993`)
	if output := p.runShown(b); !strings.Contains(output, "9007199254740993") {
		t.Errorf("the command has\n%s", output)
	}

	p.goTo("?v=unapplied")
	p.clickButton("Preview 4 deliveries")
	p.await("No event would be written.")
	if results := p.cells("retry"); len(results) != 4 || strings.Count(strings.Join(results, "\n"), "preview") != 4 || !strings.HasPrefix(results[0], "late") {
		t.Errorf("the preview says %q", results)
	}
	if stored := b.MustGet("/v1/unapplied"); strings.Count(stored, `"sequence"`) != 4 {
		t.Errorf("after the preview there are stored: %s", stored)
	}
	p.choose("f-reason", "late")
	p.await("late: older than what is recorded: nothing to do.")
	p.until("two rows", `document.querySelectorAll("td[data-label=sequence]").length === 2`)
	p.checkAddress("late: older than what is recorded")
	if output := p.runShown(b); strings.Count(output, "late") < 2 || strings.Contains(output, "malformed") {
		t.Errorf("the command has\n%s", output)
	}
	p.goTo("?v=resource&resource=job/aurora-vod/ladder-hd/film")
	p.await("Its unapplied deliveries")
	p.goTo("?v=unapplied&sequence=99")
	p.await("Delivery 99 cannot be shown.")
	p.expect("404")
}

// storeUnapplied makes a bridge store two late deliveries, an unrecognised one and one that is malformed.
func storeUnapplied(t *testing.T, b *bridgetest.Bridge) {
	t.Helper()
	for _, name := range []string{"film", "series"} {
		deliver(t, b, jobKey(t, name), "Finished", time.Now(), http.StatusNoContent)
		deliver(t, b, jobKey(t, name), "Processing", time.Now().Add(-time.Hour), http.StatusAccepted)
	}
	unknown := bridgetest.JobDelivery(t, "frame", "Created", func(delivery map[string]any) {
		delivery["type"], delivery["source"] = "MediaKind.ThumbnailCreated", "/api/v1/projects/aurora-vod/media/thumbnails/frame"
	})
	if status := b.Deliver(unknown); status != http.StatusAccepted {
		t.Fatalf("an unrecognised delivery: %d", status)
	}
	if status := b.Deliver([]byte(`{"specversion":"1.0","data":{"projectName":9007199254740993}}`)); status != http.StatusBadRequest {
		t.Fatalf("a malformed delivery: %d", status)
	}
}

// A retry stops when the bridge cannot store: what comes after is not tried, and the page says so.
func TestRetryStopsAtTheFirst503(t *testing.T) {
	t.Parallel()
	b, _ := startBridge(t)
	storeUnapplied(t, b)
	var retries atomic.Int32
	admin := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: b.Admin})
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && !r.URL.Query().Has("dryRun") && retries.Add(1) == 2 {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"detail":"JetStream does not respond"}`)
			return
		}
		admin.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	p := open(t, proxy.URL+"/console/", "?v=unapplied", look{})
	p.expect("503")
	p.clickButton("Preview 4 deliveries")
	p.clickButton("Retry in this order")
	p.await("Stopped: JetStream does not respond. The deliveries after 2 were not tried.")
	results := p.cells("retry")
	if len(results) != 4 || !strings.HasPrefix(results[0], "late") || results[1] != "JetStream does not respond" || results[2] != "" || results[3] != "" {
		t.Errorf("the results are %q", results)
	}
	if n := retries.Load(); n != 2 {
		t.Errorf("%d were tried", n)
	}
	p.clickButton("Preview 4 deliveries")
	p.clickButton("Retry in this order")
	p.until("all results", `[...document.querySelectorAll("td[data-label=retry]")].filter(td => td.innerText && !td.innerText.includes("preview")).length === 4`)
	p.awaitGone("Stopped:")
}
