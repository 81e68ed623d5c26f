package poll_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// records returns the stored coverage records of a kind.
func (w *world) records(kind lifecycle.Kind) []event.Coverage {
	w.t.Helper()
	var found []event.Coverage
	for r, err := range eventlog.New(w.js, names).Coverage(w.t.Context(), project, kind, time.Time{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		found = append(found, r)
	}
	return found
}

// coverageSince returns the coverage of a kind from a time to now.
func (w *world) coverageSince(kind lifecycle.Kind, since time.Time) audit.Coverage {
	w.t.Helper()
	return audit.CoverageOf(w.records(kind), since, time.Now(), time.Now())
}

func TestSweepsAreRecorded(t *testing.T) {
	bridgetest.SkipIfShort(t)
	inWorld(t, mkiofake.Config{}, func(w *world) {
		for key, states := range w.lives() {
			w.mkio.Create(key, states[0])
		}
		asset := w.key(lifecycle.Asset, "ep 1.ä")
		w.mkio.Move(asset, "Ready")
		b := w.start()
		time.Sleep(3 * full)
		began := time.Now()
		job := w.key(lifecycle.Job, "t", "ep-1")
		w.mkio.Move(job, "Finished")
		time.Sleep(3 * full)
		b.stop()
		for key := range w.lives() {
			c := w.coverageSince(key.Kind, began)
			if !c.Complete() || c.Sweeps < 3 || c.Resources != 1 {
				t.Errorf("%s: %+v", key.Kind, c)
			}
			records := w.records(key.Kind)
			if len(records) > 6*4+3 {
				t.Errorf("%s: %d records in six hours with almost no change", key.Kind, len(records))
			}
			for i, r := range records {
				if r.Record != event.Covered || r.To.Before(r.From) || !r.To.Before(*r.Due) {
					t.Fatalf("%s: record %d is %+v", key.Kind, i, r)
				}
			}
			if first := records[0]; key.Kind != lifecycle.LiveOutput && key.Kind != lifecycle.ScheduledOperation && first.Repaired != 1 {
				t.Errorf("%s: the first sweep recorded %d of 1", key.Kind, first.Repaired)
			}
		}
		if c := w.coverageSince(lifecycle.Job, began); c.Repaired > 1 || c.Repaired != c.Differed {
			t.Errorf("one job finished: %+v", c)
		}
		if c := w.coverageSince(lifecycle.Asset, began); c.Rested != 1 {
			t.Errorf("an asset at rest whose state was not requested is not counted as rested: %+v", c)
		}
	})
}

func TestAGapIsOpenedAndClosed(t *testing.T) {
	bridgetest.SkipIfShort(t)
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.mkio.Create(w.key(lifecycle.Job, "t", "ep-1"), "Processing")
		w.mkio.Create(w.key(lifecycle.LiveEvent, "cam-1"), "Running")
		w.mkio.Create(w.key(lifecycle.LiveOutput, "cam-1", "dvr"), "Running")
		w.start()
		time.Sleep(full)
		began := time.Now()
		w.transport.set(func(tr *transport) {
			tr.override = func(path string) (int, string) {
				if strings.Contains(path, "/jobs") || strings.Contains(path, "/liveOutputs") {
					return http.StatusBadGateway, "<html>"
				}
				return 0, ""
			}
		})
		time.Sleep(2 * full)
		for _, kind := range []lifecycle.Kind{lifecycle.Job, lifecycle.LiveOutput} {
			records := w.records(kind)
			if last := records[len(records)-1]; last.Record != event.GapOpened || !strings.Contains(last.Reason, "502") || last.To != nil {
				t.Errorf("%s: the last record of a kind whose list fails is %+v", kind, last)
			}
			if c := w.coverageSince(kind, began); c.Complete() || c.Gaps[0].Reason == "" {
				t.Errorf("%s is covered: %+v", kind, c)
			}
		}
		if c := w.coverageSince(lifecycle.LiveEvent, began); !c.Complete() {
			t.Errorf("live events are not covered though their list did not fail: %+v", c)
		}
		w.transport.set(func(tr *transport) { tr.override = nil })
		time.Sleep(full)
		since := time.Now()
		time.Sleep(full)
		for _, kind := range []lifecycle.Kind{lifecycle.Job, lifecycle.LiveOutput} {
			closed := false
			for _, r := range w.records(kind) {
				closed = closed || r.Record == event.GapClosed && r.To.Sub(r.From) > time.Hour
			}
			if !closed {
				t.Errorf("%s: the gap is not closed: %+v", kind, w.records(kind))
			}
			if c := w.coverageSince(kind, since); !c.Complete() {
				t.Errorf("%s is not covered again: %+v", kind, c)
			}
			if c := w.coverageSince(kind, began); c.Complete() {
				t.Errorf("%s: the time of a closed gap is covered: %+v", kind, c)
			}
		}
	})
}

// A sweep after a time without a bridge repairs the log and counts what it repaired.
func TestTimeWithoutABridgeIsAGap(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		job := w.key(lifecycle.Job, "t", "ep-1")
		w.mkio.Create(job, "Processing")
		b := w.start(lifecycle.Job)
		time.Sleep(full)
		b.stop()
		away := time.Now()
		w.mkio.Move(job, "Finished")
		time.Sleep(5 * full)
		if c := w.coverageSince(lifecycle.Job, away); c.Complete() || c.Share > 0 {
			t.Errorf("a time without a bridge is covered: %+v", c)
		}
		w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		c := w.coverageSince(lifecycle.Job, away)
		if len(c.Gaps) != 1 || c.Gaps[0].Reason != "nobody polled" || c.Repaired != 1 {
			t.Errorf("after polling started again: %+v", c)
		}
	})
}

// The children of new parents would not be found.
func TestChildrenOfUnpolledParentsHaveAGap(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.mkio.Create(w.key(lifecycle.LiveEvent, "cam-1"), "Running")
		w.mkio.Create(w.key(lifecycle.LiveOutput, "cam-1", "dvr"), "Running")
		b := w.start()
		time.Sleep(full)
		b.stop()
		w.start(lifecycle.LiveOutput)
		time.Sleep(full)
		records := w.records(lifecycle.LiveOutput)
		last := records[len(records)-1]
		if last.Record != event.GapOpened || !strings.Contains(last.Reason, "not polled") || !strings.Contains(last.Reason, "live-event") {
			t.Errorf("the last record is %+v", last)
		}
	})
}
