package poll_test

import (
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
	"mkio-bridge/internal/streams"
)

// What MK.IO would answer could not be recorded: it is not asked. A log that was made again knows nothing: everything is
// compared with it at once, and not at the next full sweep.
func TestNothingIsAskedWhileTheLogIsAwayAndAllWhenItIsAnother(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.mkio.Create(w.key(lifecycle.Job, "t", "ep-1"), "Processing")
		w.mkio.Create(w.key(lifecycle.StreamingEndpoint, "edge"), "Running") // at rest: only a sweep looks at it
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
		time.Sleep(sweep) // it finds out
		before := w.mkio.Requests(project).Gets
		time.Sleep(10 * sweep)
		if asked := w.mkio.Requests(project).Gets - before; asked > 0 {
			w.t.Errorf("%d requests whose answers could not be recorded", asked)
		}

		if err := streams.Ensure(w.t.Context(), w.js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
			w.t.Fatal(err)
		}
		time.Sleep(3 * sweep)
		w.wantConverged()
		if c := w.coverageSince(lifecycle.Job, began); c.Complete() {
			w.t.Errorf("the log lost what it held, and it is proven all the time: %+v", c)
		}
	})
}

// The same, while no bridge runs: records of what was compared tell how long the log was.
func TestALogThatIsAnotherAfterwardsIsNotProven(t *testing.T) {
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
		if c := w.coverageSince(lifecycle.Job, began); len(c.Gaps) != 1 || c.Gaps[0].Reason != "the log became another one, or lost its end" {
			w.t.Errorf("%+v", c)
		}
	})
}
