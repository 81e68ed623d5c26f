package poll_test

import (
	"net/http"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// What lies below others is compared as a whole when all of its lists are, of which there may be none: an age that then
// grew for ever would be an alert about nothing, and one list that is swept must not hide another that is not.
func TestTheAgeOfASweepBelowParentsIsThatOfTheOldestList(t *testing.T) {
	bridgetest.SkipIfShort(t)
	inWorld(t, mkiofake.Config{}, func(w *world) {
		for _, name := range []string{"cam-1", "cam-2"} {
			w.mkio.Create(w.key(lifecycle.LiveEvent, name), "Running")
			w.mkio.Create(w.key(lifecycle.LiveOutput, name, "dvr"), "Running")
		}
		b := w.start()
		age := func() time.Duration {
			seconds := metric(t, b.metrics, "mkio_bridge_sweep_age_seconds", "kind", string(lifecycle.LiveOutput))
			return time.Duration(seconds * float64(time.Second))
		}
		time.Sleep(3 * full)
		if got := age(); got == 0 || got > full {
			t.Errorf("while all is well the age is %s", got)
		}
		w.transport.set(failAt("/cam-1/liveOutputs", http.StatusBadGateway))
		time.Sleep(3 * full)
		if got := age(); got < 2*full {
			t.Errorf("one of two lists was not swept for %s, and the age is %s", 3*full, got)
		}
		w.transport.set(func(w *transport) { w.override = nil })
		time.Sleep(full)
		for _, name := range []string{"cam-1", "cam-2"} {
			w.mkio.Delete(w.key(lifecycle.LiveOutput, name, "dvr"))
			w.mkio.Delete(w.key(lifecycle.LiveEvent, name))
		}
		time.Sleep(4 * full)
		if got := age(); got == 0 || got > full {
			t.Errorf("nothing is left below which there could be any, and the age is %s", got)
		}
	})
}
