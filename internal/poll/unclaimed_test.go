package poll_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// A conflict that is kept before its project is polled, here or by another bridge, is asked about when it is.
func TestWhatIsAskedForBeforeItsProjectIsPolledIsLookedUp(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		var looks atomic.Int64
		w.transport.set(func(way *transport) {
			way.override = func(uri string) (int, string) {
				if strings.HasSuffix(uri, "/jobs/ep-1") {
					looks.Add(1)
				}
				return 0, ""
			}
		})
		w.recheckFirst = []lifecycle.Key{w.key(lifecycle.Job, "t", "ep-1")}
		w.start(lifecycle.Job)
		time.Sleep(active)
		if n := looks.Load(); n != 1 {
			t.Errorf("%d looks, want 1", n)
		}
	})
}
