package poll_test

import (
	"fmt"
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// A leaked webhook secret can be used to forge deliveries. A full sweep corrects them, even if their time lies far ahead, and also
// for kinds whose state is not requested while they are at rest.
func TestForgedDeliveriesAreCorrected(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		is := map[lifecycle.Key]string{
			w.key(lifecycle.Asset, "ep"): "Ready", w.key(lifecycle.ContentKeyPolicy, "drm"): "Created",
			w.key(lifecycle.StreamingEndpoint, "edge"): "Running", w.key(lifecycle.Job, "t", "ep"): "Processing",
		}
		for key, state := range is {
			w.mkio.Create(key, state)
		}
		b := w.start()
		time.Sleep(2 * sweep)
		w.wantConverged()
		n := 0
		ahead := time.Now().AddDate(70, 0, 0)
		for _, when := range []struct{ at, modified time.Time }{{at: time.Now()}, {ahead, ahead}} {
			for key := range is {
				n++
				w.forge(b, key, fmt.Sprint("made-up-", n), when.at, when.modified)
			}
			w.forge(b, w.key(lifecycle.Asset, fmt.Sprint("never-was-", n)), "Ready", when.at, when.modified)
			time.Sleep(full + 2*sweep)
			w.wantConverged()
		}
		for key, state := range is {
			w.wantStates(key, state, w.events()[key][1].Data.State, state, w.events()[key][3].Data.State, state)
		}
	})
}

// forge records a state as a forged delivery would.
func (w *world) forge(b *bridge, key lifecycle.Key, state string, at, modified time.Time) {
	w.t.Helper()
	v, err := b.publisher.Observe(w.t.Context(), lifecycle.Observation{
		Key: key, State: state, At: at, Modified: modified, Via: lifecycle.Webhook,
		Delivery: &lifecycle.Delivery{ID: fmt.Sprint(key, state), Type: "MediaKind.Forged", Received: time.Now()},
		Source:   "/api/v1/projects/" + project + "/" + key.Name(), Subject: key.Name(),
	})
	if err != nil || !v.News() {
		w.t.Errorf("%s %s: %s (%s), %v", key, state, v.Outcome, v.Why, err)
	}
}
