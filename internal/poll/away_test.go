package poll_test

import (
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
	"mkio-bridge/internal/publish"
)

// What MK.IO would answer could not be recorded: it is not asked. A log that was made again knows nothing: everything is
// compared with it at once, and not at the next full sweep.
func TestNothingIsAskedWhileTheLogIsAwayAndAllWhenItIsAnother(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.mkio.Create(w.key(lifecycle.Job, "t", "ep-1"), "Processing")
		w.mkio.Create(w.key(lifecycle.StreamingEndpoint, "edge"), "Running") // at rest: only a sweep looks at it
		w.start()
		time.Sleep(2 * sweep)
		w.converged()

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

		if err := publish.Ensure(w.t.Context(), w.js, publish.Streams{Names: names, Replicas: 1, Create: true}); err != nil {
			w.t.Fatal(err)
		}
		time.Sleep(3 * sweep)
		w.converged()
	})
}
