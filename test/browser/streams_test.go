//go:build e2e

package browser

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
)

// unreachable is what the browser itself reports while no bridge answers, in pages and in workers.
const unreachable = "Failed to load resource"

// liveNames returns the names of the jobs that Live shows, newest first.
func (p *tab) liveNames() []string {
	p.t.Helper()
	return eval[[]string](p, `[...document.querySelectorAll("main tbody td.name a")].map(a => a.textContent.split(" / ").at(-1))`)
}

// checkLive compares what Live shows, newest first.
func (p *tab) checkLive(want ...string) {
	p.t.Helper()
	p.await(want[0])
	if got := p.liveNames(); !slices.Equal(got, want) {
		p.t.Errorf("Live shows %q, not %q", got, want)
	}
}

// deliverJob delivers the end of a job of a name.
func deliverJob(t *testing.T, b *bridgetest.Bridge, name string) {
	t.Helper()
	if status := b.Deliver(bridgetest.JobDelivery(t, name, "Finished", nil)); status != http.StatusNoContent {
		t.Fatalf("delivery of %q: status %d", name, status)
	}
}

// A stream that is cut shows since when, dims what it has, and resumes behind the last event, without a gap or a repeat: on a
// network without connections, and when the bridge restarts. A screen whose answer does not come does the same.
func TestCutStream(t *testing.T) {
	t.Parallel()
	b, _ := startBridge(t)
	px := newProxy(t, "", b.Admin)
	p := open(t, px.console, "?v=live", look{})
	p.expect(unreachable)
	p.await("Connected")
	deliverJob(t, b, "before")
	p.checkLive("before")
	now := p.another("")
	now.awaitLoaded()

	px.cut()
	p.await("No stream since")
	p.awaitElement("section.card.stale")
	now.await("No answer since")
	now.awaitElement(".stack.stale")
	deliverJob(t, b, "during")
	px.mend()
	p.await("Connected")
	p.checkLive("during", "before")
	now.awaitGone("No answer since")

	b.StopGracefully()
	p.await("No stream since")
	b.Restart()
	px.set(func() { px.bridges = []string{b.Admin} })
	deliverJob(t, b, "restarted")
	p.await("Connected")
	p.checkLive("restarted", "during", "before")
	if eval[bool](p, `document.querySelector("section.card.stale") !== null`) {
		t.Error("the events are dimmed after the stream was resumed")
	}
}

// A bridge that takes connections and does not answer looks as one that is gone; so does a stream that is silent.
func TestHungBridge(t *testing.T) {
	t.Parallel()
	b, _ := startBridge(t)
	px := newProxy(t, "", b.Admin)
	px.replace = []string{"limit = 30_000", "limit = 2_000", "silence = 45_000", "silence = 1_000"}
	p := open(t, px.console, "", look{})
	p.expect(unreachable)
	p.awaitLoaded()
	live := p.another("?v=live")
	live.await("Connected")
	deliverJob(t, b, "first")
	live.checkLive("first")
	bridgetest.Eventually(t, "a silent stream is replaced", func() bool { opened, _ := px.streams(); return opened > 2 })

	hang := make(chan struct{})
	px.set(func() { px.hang = hang })
	p.await("No answer since")
	p.await("there was no answer within 2 s")
	live.await("nothing came for 1 s")
	deliverJob(t, b, "second")
	px.set(func() { px.hang = nil })
	close(hang)
	p.awaitGone("No answer since")
	live.checkLive("second", "first")
}

// All tabs share one stream, which ends when the last of them leaves Live.
func TestTabsShareAStream(t *testing.T) {
	b, _ := startBridge(t)
	px := newProxy(t, "", b.Admin)
	p := open(t, px.console, "?v=live", look{})
	p.await("Connected")
	second := p.another("?v=live")
	second.await("Connected")
	deliverJob(t, b, "shared")
	p.checkLive("shared")
	second.checkLive("shared")
	if opened, isOpen := px.streams(); opened != 1 || isOpen != 1 {
		t.Errorf("%d streams were opened, %d are open", opened, isOpen)
	}
	p.click(`a[href="?v=stuck"]`)
	p.await("Nothing is stuck")
	deliverJob(t, b, "to-one")
	second.checkLive("to-one", "shared")
	if opened, isOpen := px.streams(); opened != 1 || isOpen != 1 {
		t.Errorf("one tab left: %d streams were opened, %d are open", opened, isOpen)
	}
	second.click(`a[href="?v=stuck"]`)
	bridgetest.Eventually(t, "the stream ends", func() bool { _, isOpen := px.streams(); return isOpen == 0 })
}

// A browser without shared workers, as on some phones, has a stream for each tab.
func TestLiveWithoutSharedWorker(t *testing.T) {
	b, _ := startBridge(t)
	px := newProxy(t, "", b.Admin)
	px.replace = []string{"globalThis.SharedWorker", "globalThis.NoSuchWorker"}
	p := open(t, px.console, "?v=live", look{width: narrow})
	p.await("Connected")
	deliverJob(t, b, "alone")
	p.checkLive("alone")
	p.click(`a[href="?v=stuck"]`)
	bridgetest.Eventually(t, "the stream ends", func() bool { _, isOpen := px.streams(); return isOpen == 0 })
}

// Two bridges behind one address, below a base path: a session is valid at both, a stream goes on when one stops, all screens work.
func TestTwoBridgesBehindOneAddress(t *testing.T) {
	t.Parallel()
	needChromium(t)
	env := slices.Concat(withTokens, []string{"BRIDGE_NATS_URL=" + bridgetest.StartNATS(t, "").URL})
	first, second := bridgetest.StartBridge(t, env...), bridgetest.StartBridge(t, env...)
	px := newProxy(t, "/tools/mkio", first.Admin, second.Admin)
	p := open(t, px.console, "?v=live", look{})
	p.expect(refusals)
	p.give(viewerToken)
	p.await("Connected")
	deliverJob(t, first, "at-first")
	p.checkLive("at-first")
	first.StopGracefully()
	deliverJob(t, second, "at-second")
	p.checkLive("at-second", "at-first")
	px.set(func() { px.version = "v99.0.0" }) // the other one is of another version
	p.await("The bridge is of version v99.0.0 now")
	if address := p.address(); address != "?v=live" || strings.Contains(p.text(), "Sign in") {
		t.Errorf("the address is %q", address)
	}
	p.click(".notice.info button")
	p.await("Connected")
	p.awaitGone("The bridge is of version")
	for _, link := range []string{"", "?v=resources", "?v=stuck", "?v=webhooks", "?v=unapplied", "?v=proof", "?v=setup"} {
		p.click(fmt.Sprintf("nav a[href=%q]", "?"+strings.TrimPrefix(link, "?")))
		p.awaitLoaded()
		if address := p.address(); strings.TrimPrefix(address, "?") != strings.TrimPrefix(link, "?") {
			t.Errorf("the menu leads to %q instead of %q", address, link)
		}
	}
	p.goTo("?v=resources")
	p.click("td.name a")
	p.await("The chain of hashes holds.")
}

// A log that was recreated, or a position that is outside it, is said: what Live shows is then not all.
func TestRecreatedLog(t *testing.T) {
	t.Parallel()
	b, _ := startBridge(t)
	other, _ := startBridge(t)
	px := newProxy(t, "", b.Admin)
	p := open(t, px.console, "?v=live", look{})
	p.expect(unreachable)
	p.await("Connected")
	deliverJob(t, b, "old-1")
	deliverJob(t, b, "old-2")
	p.checkLive("old-2", "old-1")
	px.set(func() { px.bridges = []string{other.Admin} })
	px.CloseClientConnections()
	p.await("The log was recreated")
	p.await("Connected")
	deliverJob(t, other, "new-1")
	p.checkLive("new-1")
	p.axe()
}

// Too many streams: the page says so, and goes on when there is room.
func TestTooManyStreams(t *testing.T) {
	t.Parallel()
	b, _ := startBridge(t)
	px := newProxy(t, "", b.Admin)
	px.refused = http.StatusTooManyRequests
	p := open(t, px.console, "?v=live", look{})
	p.expect(unreachable)
	p.await("too many event streams are open")
	px.set(func() { px.refused = 0 })
	p.await("Connected")
	deliverJob(t, b, "at-last")
	p.checkLive("at-last")
}
