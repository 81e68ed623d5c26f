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

// Webhooks shows each project's rule and its deliveries, and the changes that a poll saw before a delivery came.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	fake, b, console := startWithMKIO(t, mkiofake.Config{})
	delivered, lost := jobKey(t, "delivered"), jobKey(t, "lost")
	for _, key := range []lifecycle.Key{delivered, lost} {
		fake.Create(key, "Queued")
		awaitEvent(t, b, key, "Queued")
	}
	fake.Move(delivered, "Processing")
	awaitEvent(t, b, delivered, "Processing")
	p := open(t, console, "?v=webhooks", look{})
	p.await("Deliveries arrive. Every change that MK.IO sends webhooks for was first seen by its delivery.")
	p.until("the rules", `[...document.querySelectorAll("td")].filter(td => td.innerText.includes("● right")).length === 2`)
	if rules := p.cells("rule"); !strings.Contains(rules[0], b.Webhook) {
		t.Errorf("the rules are %q, and the bridge listens at %s", rules, b.Webhook)
	}
	p.until("a delivery of the last day", `[...document.querySelectorAll("td")].some(td => td.dataset.label === "last day: sent" && Number(td.innerText) > 0)`)

	fake.SetFaults(mkiofake.Faults{Dropped: 1})
	fake.Move(lost, "Processing")
	p.await("Polling was first for 1 change that MK.IO sends webhooks for.")
	if names := p.cells("resource"); len(names) != 1 || !strings.Contains(names[0], "lost") {
		t.Errorf("first seen by a poll: %q", names)
	}
	p.choose("f-project", mkiofake.VOD)
	p.awaitAddress("project=" + mkiofake.VOD)
	p.checkAddress("Polling was first for 1 change", "lost")
	p.click(`td[data-label=recorded] a`)
	p.await("What happened")
	if heading := p.heading(); heading != "lost" {
		t.Errorf("the heading is %q", heading)
	}
}

// Without a rule a delivery that arrives is evidence enough.
func TestWebhooksWithoutARule(t *testing.T) {
	t.Parallel()
	b, console := startBridge(t)
	p := open(t, console, "?v=webhooks", look{})
	p.await("No webhook rule is known, and no delivery arrived in the last hour.")
	deliver(t, b, jobKey(t, "film"), "Processing", time.Now(), http.StatusNoContent)
	p.await("Deliveries arrive.")
}
