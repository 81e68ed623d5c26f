package poll_test

import (
	"net/http"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// A child kind is covered when all of its lists are, and there may be none: an age that grows then would be a false alert. One
// list that is swept must not conceal another that is not.
func TestTheSweepAgeOfAChildKindIsThatOfItsOldestList(t *testing.T) {
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
			t.Errorf("the age is %s though all lists are swept", got)
		}
		w.transport.set(failAt("/cam-1/liveOutputs", http.StatusBadGateway))
		time.Sleep(3 * full)
		if got := age(); got < 2*full {
			t.Errorf("the age is %s though one of two lists was not swept for %s", got, 3*full)
		}
		w.transport.set(func(tr *transport) { tr.override = nil })
		time.Sleep(full)
		for _, name := range []string{"cam-1", "cam-2"} {
			w.mkio.Delete(w.key(lifecycle.LiveOutput, name, "dvr"))
			w.mkio.Delete(w.key(lifecycle.LiveEvent, name))
		}
		time.Sleep(4 * full)
		if got := age(); got == 0 || got > full {
			t.Errorf("the age is %s though there are no parents left", got)
		}
	})
}
