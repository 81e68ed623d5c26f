package poll_test

import (
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
	"mkio-bridge/internal/streams"
)

// While the log is away no observation could be recorded, so no request is sent. A log that was created again is empty, so
// everything is compared with it at once, before the next full sweep.
func TestNothingIsPolledWithoutTheLogAndEverythingOnceItIsReplaced(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.mkio.Create(w.key(lifecycle.Job, "t", "ep-1"), "Processing")
		w.mkio.Create(w.key(lifecycle.StreamingEndpoint, "edge"), "Running") // at rest: only full sweeps observe it
		began := time.Now()
		w.start()
		time.Sleep(2 * sweep)
		began = began.Add(sweep)
		w.wantConverged()

		for _, stream := range []string{names.EventStream(), names.StateStream()} {
			if err := w.js.DeleteStream(w.t.Context(), stream); err != nil {
				w.t.Fatal(err)
			}
		}
		time.Sleep(sweep) // until the bridge notices
		before := w.mkio.Requests(project).Gets
		time.Sleep(10 * sweep)
		if gets := w.mkio.Requests(project).Gets - before; gets > 0 {
			w.t.Errorf("%d requests whose observations could not be recorded", gets)
		}

		if err := streams.Ensure(w.t.Context(), w.js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
			w.t.Fatal(err)
		}
		time.Sleep(3 * sweep)
		w.wantConverged()
		if c := w.coverageSince(lifecycle.Job, began); c.Complete() {
			w.t.Errorf("the time is covered though the log lost events: %+v", c)
		}
	})
}

// The log is replaced while no bridge runs. The coverage records have the sequence that it had reached.
func TestALogReplacedBetweenRunsIsAGap(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.mkio.Create(w.key(lifecycle.Job, "t", "ep-1"), "Processing")
		w.mkio.Create(w.key(lifecycle.Job, "t", "ep-2"), "Processing")
		b := w.start(lifecycle.Job)
		time.Sleep(full)
		b.stop()
		began := time.Now()
		for _, stream := range []string{names.EventStream(), names.StateStream()} {
			if err := w.js.DeleteStream(w.t.Context(), stream); err != nil {
				w.t.Fatal(err)
			}
		}
		w.mkio.Delete(w.key(lifecycle.Job, "t", "ep-1"))
		time.Sleep(sweep)
		if err := streams.Ensure(w.t.Context(), w.js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
			w.t.Fatal(err)
		}
		w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		if c := w.coverageSince(lifecycle.Job, began); len(c.Gaps) != 1 || c.Gaps[0].Reason != "event log replaced or truncated" {
			w.t.Errorf("%+v", c)
		}
	})
}
