//go:build e2e

package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
)

// Stuck shows what is in its state for longer than is usual, and compares it with what is usual.
func TestStuck(t *testing.T) {
	t.Parallel()
	b, console := startBridge(t)
	p := open(t, console, "?v=stuck", look{})
	p.await("Nothing is stuck: none of the 0 resources in motion has passed its limit.")
	now := time.Now()
	for i := range 12 { // jobs that took a minute: enough to know what is usual
		key := jobKey(t, fmt.Sprintf("usual-%02d", i))
		deliver(t, b, key, "Processing", now.Add(-3*time.Hour), http.StatusNoContent)
		deliver(t, b, key, "Finished", now.Add(-3*time.Hour+time.Minute), http.StatusNoContent)
	}
	deliver(t, b, jobKey(t, "hangs"), "Processing", now.Add(-2*time.Hour), http.StatusNoContent)
	deliver(t, b, jobKey(t, "runs"), "Processing", now, http.StatusNoContent)
	p.await("1 of 2 resources in motion is stuck: in the same state for longer than is usual for kind and state.")
	if names, ages, limits := p.cells("resource"), p.cells("for"), p.cells("limit"); len(names) != 1 || !strings.Contains(names[0], "hangs") || !strings.HasPrefix(ages[0], "2 h") || limits[0] == "—" {
		t.Errorf("stuck are %q for %q, with limits %q", names, ages, limits)
	}
	if compared := eval[string](p, `document.querySelector("td.bullet svg").getAttribute("aria-label")`); !strings.HasPrefix(compared, "2 h of at most ") {
		t.Errorf("compared: %q", compared)
	}
	p.checkAddress("1 of 2 resources in motion is stuck", "hangs")
	if output := p.runShown(b); !strings.Contains(output, "hangs") || strings.Contains(output, "runs") {
		t.Errorf("the command has\n%s", output)
	}
	p.click(`a[href="?v=stuck&all=1"]`)
	p.await("2 resources in motion")
	p.checkAddress("2 resources in motion", "runs")
	if output := p.runShown(b); !strings.Contains(output, "hangs") || !strings.Contains(output, "runs") {
		t.Errorf("the command has\n%s", output)
	}
	p.click(`td a[href*="hangs"]`)
	p.await("Wait for it")
	if _, stderr, code := bridgetest.Run(t, b.Env(), "wait", "job/aurora-vod/ladder-hd/hangs", "--for-phase", "transitional", "--timeout", "10s"); code != 0 {
		t.Errorf("the wait exits with %d: %s", code, stderr)
	}
}
