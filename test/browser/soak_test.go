//go:build e2e

package browser

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"mkio-bridge/internal/bridgetest"
)

var liveFor = flag.Duration("live-for", 10*time.Minute, "how long TestSoakConsole follows the events")

// Amounts of TestSoakConsole.
const (
	soakResources = 100_000
	soakBatch     = 500 // deliveries of a request
	soakRate      = 500 // events per second
	soakInterval  = 100 * time.Millisecond
)

// measure notes in each document when the first row of a table was painted, tasks over 50 ms, and frames over 100 ms.
const measure = `
	globalThis.measured = {firstRow: 0, longTasks: [], longFrames: [], frames: 0};
	new MutationObserver((_, observer) => {
		if (!document.querySelector("main tbody tr")) return;
		observer.disconnect();
		requestAnimationFrame(() => setTimeout(() => { measured.firstRow = performance.now(); }));
	}).observe(document, {childList: true, subtree: true});
	new PerformanceObserver(list => measured.longTasks.push(...list.getEntries().map(e => Math.round(e.duration)))).observe({type: "longtask", buffered: true});
	let last = performance.now();
	const frame = now => { measured.frames++; if (now - last > 100) measured.longFrames.push(Math.round(now - last)); last = now; requestAnimationFrame(frame); };
	requestAnimationFrame(frame);`

// measured is what measure has noted since the document was loaded or since forget.
type measured struct {
	FirstRow              float64
	LongTasks, LongFrames []int
	Frames                int
}

// TestSoakConsole reports how fast the console is with many resources and many events: make soak. It asserts behaviour alone, because
// times depend on the machine.
func TestSoakConsole(t *testing.T) {
	b, console := startBridge(t)
	began := time.Now()
	for first := 0; first < soakResources; first += soakBatch {
		deliverBatch(t, b, "resource", first, soakBatch)
	}
	t.Logf("%d resources were delivered in %s", soakResources, time.Since(began).Round(time.Second))
	p := open(t, console, "?v=setup", look{})
	p.must(chromedp.Do(p.ctx, call(page.AddScriptToEvaluateOnNewDocument.Method, page.AddScriptToEvaluateOnNewDocumentParams{Source: measure})))
	for range 3 {
		p.goTo("?v=resources")
		p.until("the first row", `measured.firstRow > 0`)
		t.Logf("first useful paint of %d resources: %.0f ms (aim: 300)", soakResources, eval[measured](p, `measured`).FirstRow)
	}
	p.awaitLoaded()
	p.forget()
	p.press("/")
	for _, key := range []string{"resource", "-0", "99", "9", "8"} {
		p.press(key)
		p.until("the search", fmt.Sprintf(`document.querySelector("[data-search]").value.endsWith(%s)`, quoted(key)))
	}
	p.await("resource-099980")
	t.Logf("typing in the search: tasks over 50 ms: %v ms (aim: none)", eval[measured](p, `measured`).LongTasks)
	followLive(t, b, p)
}

// followLive follows soakRate events a second for a while, and reports frames and memory.
func followLive(t *testing.T, b *bridgetest.Bridge, p *tab) {
	t.Helper()
	p.goTo("?v=live")
	p.await("Connected")
	p.forget()
	begin, ticker := time.Now(), time.NewTicker(soakInterval)
	defer ticker.Stop()
	const size = int(soakRate * soakInterval / time.Second)
	sent, reported := 0, begin
	for ; time.Since(begin) < *liveFor; <-ticker.C {
		deliverBatch(t, b, "live", sent, size)
		sent += size
		if time.Since(reported) > *liveFor/5 {
			reported = time.Now()
			m := eval[measured](p, `measured`)
			t.Logf("after %s: %.1f MiB of JavaScript heap, %d frames, %d longer than 100 ms", time.Since(begin).Round(time.Second), p.heap(), m.Frames, len(m.LongFrames))
		}
	}
	rate := float64(sent) / time.Since(begin).Seconds()
	p.await(fmt.Sprintf("live-%06d", sent-1))
	m := eval[measured](p, `measured`)
	t.Logf("%.0f events a second for %s: %d frames, of which longer than 100 ms: %d %v; tasks over 50 ms: %d", rate, liveFor, m.Frames, len(m.LongFrames), m.LongFrames[:min(len(m.LongFrames), 20)], len(m.LongTasks))
	if rows := eval[int](p, `document.querySelectorAll("main tbody tr").length`); rows != 100 {
		t.Errorf("Live draws %d rows", rows)
	}
}

// forget forgets what was measured.
func (p *tab) forget() {
	p.t.Helper()
	p.execute(`measured.longTasks = []; measured.longFrames = []; measured.frames = 0`)
}

// heap returns the MiB of the page's JavaScript heap after a garbage collection.
func (p *tab) heap() float64 {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Minute) // a collection waits for a busy machine
	defer cancel()
	_, err := chromedp.Call(ctx, heapprofiler.CollectGarbage, cdp.Empty{})
	p.must(err)
	usage, err := chromedp.Call(ctx, runtime.GetHeapUsage, cdp.Empty{})
	p.must(err)
	return usage.UsedSize / (1 << 20)
}

// deliverBatch delivers the end of some jobs in one request.
func deliverBatch(t *testing.T, b *bridgetest.Bridge, name string, first, count int) {
	t.Helper()
	batch := make([]json.RawMessage, count)
	for i := range batch {
		batch[i] = bridgetest.JobDelivery(t, fmt.Sprintf("%s-%06d", name, first+i), "Finished", nil)
	}
	body, err := json.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := b.Post(body); err != nil || response.Status != http.StatusNoContent {
		t.Fatalf("batch: %+v, %v", response, err)
	}
}
