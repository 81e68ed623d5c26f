package poll_test

import (
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// Only the bridge that polls a project exports when its deliveries last arrived and last failed.
func TestTheNewestDeliveriesAreExported(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		h := &fakeHistory{}
		w.transport.set(func(tr *transport) { tr.override = h.respond })
		b := w.start(lifecycle.Job)
		newest := func(status string) time.Time {
			seconds := metric(t, b.metrics, "mkio_bridge_history_newest_timestamp_seconds", "status", status)
			return time.UnixMilli(int64(seconds * 1000)).UTC()
		}
		want := func(sent, unsent time.Time) {
			t.Helper()
			time.Sleep(2 * sweep)
			if got := newest("sent"); !got.Equal(sent.UTC()) {
				t.Errorf("the newest delivery that arrived is of %s, want %s", got, sent.UTC())
			}
			if got := newest("unsent"); !got.Equal(unsent.UTC()) {
				t.Errorf("the newest delivery that failed is of %s, want %s", got, unsent.UTC())
			}
		}
		never := time.UnixMilli(0)
		want(never, never)
		first := time.Now()
		w.transport.set(func(*transport) { h.add(first, "Sent", "one"); h.add(first, "Pending", "two") })
		want(first, never)
		second := time.Now()
		w.transport.set(func(*transport) { h.add(second, "Retrying", "three") })
		want(first, second)
		third := time.Now()
		w.transport.set(func(*transport) { h.add(third, "Sent", "four") })
		want(third, second)
		b.stop()
		want(never, never)
	})
}
