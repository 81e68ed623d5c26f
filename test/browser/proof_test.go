//go:build e2e

package browser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// Proof says what of a period is proven: a strip with the gap and with what can never be proven, a verification of the log, and evidence
// as a file and as a page to print.
func TestProof(t *testing.T) {
	t.Parallel()
	fake, b, console := startWithMKIO(t, mkiofake.Config{})
	fake.Create(jobKey(t, "film"), "Queued")
	awaitEvent(t, b, jobKey(t, "film"), "Queued")
	instance := bytes.Replace(bridgetest.Delivery(t, "channel-instance-started.assumed-shape.json"), []byte("live/liveChannels/"), []byte("live/instances/"), 1)
	if status := b.Deliver(instance, "X-Webhook-Secret", webhookSecret); status != http.StatusNoContent {
		t.Fatalf("the delivery of a channel instance is responded to with %d", status)
	}
	p := open(t, console, "?v=proof", look{})
	p.await("The log was not verified yet.")
	p.await("Verify the log first: without it the file has no root.")
	fake.Forbid(mkiofake.VOD, lifecycle.StreamingEndpoint, true)
	p.await("The period is proven but for ") // on a busy machine other kinds have gaps too: sweeps are due every two seconds
	p.await("Missing capability ams.streamingendpoint.get")
	fake.Forbid(mkiofake.VOD, lifecycle.StreamingEndpoint, false)
	for kind, title := range map[string]string{"gap": "streaming-endpoint gap: ", "never": "channel-instance ", "proven": "job proven: "} {
		p.until("what is "+kind+" in the strip", fmt.Sprintf(`[...document.querySelectorAll("svg.strip rect.%s title")].some(t => t.textContent.startsWith(%s))`, kind, quoted(title)))
	}
	p.awaitElement("svg.strip line.sweep")
	if why := strings.Join(p.cells("why"), "\n"); !strings.Contains(why, "403") {
		t.Errorf("the reasons are:\n%s", why)
	}

	p.clickButton("Verify now")
	p.awaitAddress("job=verify-")
	p.await("The log was whole")
	p.await("every chain, number and hash holds.")
	root := eval[string](p, `document.querySelector("main dd.mono").innerText`)
	if stdout, stderr, code := bridgetest.Run(t, b.Env(), "verify", "--root", root); code != 0 {
		t.Errorf("the command verifies another root than %s: %s%s", root, stdout, stderr)
	}
	p.checkAddress("The log was whole", root)

	evidence := eval[string](p, `fetch(document.querySelector("a[download]").href).then(r => r.text())`)
	file := filepath.Join(t.TempDir(), "evidence.json")
	if err := os.WriteFile(file, []byte(evidence), 0o600); err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, code := bridgetest.Run(t, b.Env(), "verify", "--evidence", file); code != 0 {
		t.Errorf("the command does not accept the evidence: %s%s\n%s", stdout, stderr, evidence)
	}
	var downloaded struct{ Verification struct{ Root string } }
	if err := json.Unmarshal([]byte(evidence), &downloaded); err != nil || downloaded.Verification.Root != root {
		t.Errorf("the evidence has the root %q, and the page %q: %v", downloaded.Verification.Root, root, err)
	}
	p.click(`a[href*="v=evidence"]`)
	p.await("How to check it again")
	p.checkAddress(root, "Never provable: channel-instance", "streaming-endpoint", "The log was whole at")
	p.checkPrint()
}

// checkPrint checks that the page without what is of no use on paper can be printed.
func (p *tab) checkPrint() {
	p.t.Helper()
	p.do(call(emulation.SetEmulatedMedia.Method, emulation.SetEmulatedMediaParams{Media: "print"}))
	text := p.text()
	for _, absent := range []string{"Download JSON", "Resources", "copy"} {
		if strings.Contains(text, absent+"\n") {
			p.t.Errorf("the printed page has %q", absent)
		}
	}
	if !strings.Contains(text, "digest of the file") {
		p.t.Errorf("the printed page is:\n%s", text)
	}
}

// The choices of a period are in the address, and "since the first sweep" begins there.
func TestPeriodsOfProof(t *testing.T) {
	t.Parallel()
	_, b, console := startWithMKIO(t, mkiofake.Config{}, "BRIDGE_POLL_FULL=8s") // no sweep is overdue, also on a busy machine
	p := open(t, console, "?v=proof", look{})
	p.await("Nothing is proven in this period yet: the next sweep is not due.")
	p.await("A sweep proves the time since the one before it.")
	p.await("The period is proven for all")
	p.choose("f-kind", "job")
	p.await("The period is proven for all 2 kinds that are polled.")
	p.checkAddress("The period is proven for all 2 kinds")
	if output := p.runShown(b); !strings.Contains(output, "evidence.json") {
		t.Errorf("the command has\n%s", output)
	}
	p.choose("f-period", "all")
	p.awaitAddress("since=all")
	p.checkAddress("The period is proven for all 2 kinds")
	if output := p.runShown(b); !strings.Contains(output, "evidence.json") {
		t.Errorf("the command has\n%s", output)
	}
	p.goTo("?v=proof&since=2001-03-04")
	p.await("The period is proven for all")
	if shown := eval[string](p, `document.getElementById("f-since").value`); shown != "2001-03-04T00:00" {
		t.Errorf("the period begins at %q", shown)
	}
	p.expect("status of 400")
	p.goTo("?v=proof&since=2999-03-04&until=2999-03-05")
	p.await("since is in the future")
}
