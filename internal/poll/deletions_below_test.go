package poll_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
)

// Each child list is too short to distinguish an outage from a deletion.
func TestManyDeletionsBelowManyParentsWait(t *testing.T) {
	bridgetest.SkipIfShort(t)
	tests := map[string]struct {
		parent, child func(w *world, i int) lifecycle.Key
		state         string
		kinds         []lifecycle.Kind
	}{
		"live outputs": {
			func(w *world, i int) lifecycle.Key { return w.key(lifecycle.LiveEvent, fmt.Sprint(i)) },
			func(w *world, i int) lifecycle.Key { return w.key(lifecycle.LiveOutput, fmt.Sprint(i), "dvr") },
			"Running",
			[]lifecycle.Kind{lifecycle.LiveEvent, lifecycle.LiveOutput},
		},
		"scheduled operations": {
			func(w *world, i int) lifecycle.Key { return w.key(lifecycle.LiveChannel, fmt.Sprint(i)) },
			func(w *world, i int) lifecycle.Key {
				return w.key(lifecycle.ScheduledOperation, "live-channel", fmt.Sprint(i), "window")
			},
			"Accepted",
			[]lifecycle.Kind{lifecycle.LiveChannel, lifecycle.ScheduledOperation},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inPatientWorld(t, func(w *world) {
				const parents = 40
				for i := range parents {
					w.mkio.Create(test.parent(w, i), "Running")
					w.mkio.Create(test.child(w, i), test.state)
				}
				b := w.start(test.kinds...)
				time.Sleep(2 * sweep)
				lost := func(path string) bool {
					return strings.Contains(path, "/liveOutputs") || strings.Contains(path, "/scheduledOperations")
				}
				l := &lostResources{lists: func(path string) bool { return lost(path) && isList(path) }, keys: lost}
				w.transport.set(func(tr *transport) { tr.override, tr.latency = l.respond, 100*time.Millisecond })
				time.Sleep(deletePatience - 2*sweep)
				if n := w.deletions(); n != 0 {
					t.Errorf("%d are Deleted", n)
				}
				if n := metric(t, b.metrics, waiting); n < 1 {
					t.Error("no deletion waits")
				}
				w.transport.set(func(*transport) {
					if l.requests > 3*parents { // the active poll's, the confirmation, and samples of siblings
						t.Errorf("%d requests for %d resources", l.requests, parents)
					}
				})
				w.endOutage()
				time.Sleep(full)
				if n := w.deletions(); n != 0 {
					t.Errorf("%d are Deleted after the outage ended", n)
				}
				if n := metric(t, b.metrics, waiting); n != 0 {
					t.Errorf("%.0f deletions of existing resources wait", n)
				}
				for i := range parents {
					w.mkio.Delete(test.child(w, i))
				}
				time.Sleep(full + 2*deletePatience)
				if n := w.deletions(); n != parents {
					t.Errorf("%d of %d are Deleted", n, parents)
				}
				w.wantConverged()
			})
		})
	}
}

// A few deletions among many children are recorded at once.
func TestFewDeletionsBelowManyParentsDoNotWait(t *testing.T) {
	inPatientWorld(t, func(w *world) {
		output := func(i int) lifecycle.Key { return w.key(lifecycle.LiveOutput, fmt.Sprint(i), "dvr") }
		for i := range 30 {
			w.mkio.Create(w.key(lifecycle.LiveEvent, fmt.Sprint(i)), "Running")
			w.mkio.Create(output(i), "Running")
		}
		b := w.start(lifecycle.LiveEvent, lifecycle.LiveOutput)
		time.Sleep(2 * sweep)
		for i := range 7 { // more than a fifth, and few
			w.mkio.Delete(output(i))
		}
		time.Sleep(2 * sweep)
		if n := w.deletions(); n != 7 {
			t.Errorf("%d of 7 are Deleted", n)
		}
		if n := metric(t, b.metrics, waiting); n != 0 {
			t.Errorf("%.0f deletions wait", n)
		}
	})
}

// While the deletion of a parent waits, it is unknown whether its children exist.
func TestDeletionsBelowAWaitingParentWait(t *testing.T) {
	inPatientWorld(t, func(w *world) {
		for i := range 30 {
			w.mkio.Create(w.key(lifecycle.LiveEvent, fmt.Sprint(i)), "Running")
		}
		output := w.key(lifecycle.LiveOutput, "7", "dvr")
		w.mkio.Create(output, "Running")
		w.start(lifecycle.LiveEvent, lifecycle.LiveOutput)
		time.Sleep(2 * sweep)
		events := &lostResources{
			lists: func(path string) bool { return strings.HasSuffix(path, "/liveEvents") },
			keys:  func(path string) bool { return !strings.Contains(path, "/liveOutputs") },
		}
		w.transport.set(func(tr *transport) { tr.override = events.respond })
		time.Sleep(2 * sweep)
		w.beginOutage()
		time.Sleep(5 * sweep)
		w.endOutage()
		time.Sleep(full)
		w.wantStates(output, "Running")
	})
}
