package poll_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// A recheck that is requested before its project is polled, here or by another bridge, is done once it is polled.
func TestARecheckFromBeforeItsProjectIsPolledIsDone(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		var requests atomic.Int64
		w.transport.set(func(tr *transport) {
			tr.override = func(uri string) (int, string) {
				if strings.HasSuffix(uri, "/jobs/ep-1") {
					requests.Add(1)
				}
				return 0, ""
			}
		})
		w.recheckFirst = []lifecycle.Key{w.key(lifecycle.Job, "t", "ep-1")}
		w.start(lifecycle.Job)
		time.Sleep(active)
		if n := requests.Load(); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
	})
}
