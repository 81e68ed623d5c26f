package poll_test

import (
	"fmt"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/mkio/mkiofake"
)

// A lost delivery causes one recheck and is counted once, by this bridge or the next. Many are rechecked by one poll of their
// list.
func TestALostDeliveryIsRecheckedOnce(t *testing.T) {
	bridgetest.SkipIfShort(t)
	for jobs, want := range map[int]struct{ byAddress, lists int }{
		fewLost:  {byAddress: fewLost, lists: 0},
		manyLost: {byAddress: 0, lists: 1},
	} {
		t.Run(fmt.Sprint(jobs), func(t *testing.T) { checkLost(t, jobs, want.byAddress, want.lists) })
	}
}

// How many jobs have lost deliveries: as many as are requested one by one, and more than that.
const fewLost, manyLost = 2, 30

// checkLost checks how often jobs whose deliveries are lost are requested, by their own addresses and by lists.
func checkLost(t *testing.T, jobs, byAddress, lists int) {
	t.Helper()
	inWorld(t, mkiofake.Config{Faults: mkiofake.Faults{Failed: 1}}, func(w *world) {
		w.mkio.PutRule(project, "mkio-bridge", mkiofake.Rule{URL: "https://bridge.test/", Events: mkio.Types()})
		b := w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		idle := w.mkio.Requests(project).ByRoute["GET media/jobs"]
		for i := range jobs {
			key := w.key(lifecycle.Job, "t", fmt.Sprint(i))
			w.mkio.Create(key, "Processing")
			w.mkio.Move(key, "Finished")
		}
		lost := func() (n int) {
			for _, c := range w.mkio.Changes() {
				if c.Delivery == mkiofake.Lost {
					n++
				}
			}
			return n
		}
		rechecked := func() int { return w.mkio.Requests(project).ByRoute["GET media/transforms/{}/jobs/{}"] }
		time.Sleep(2 * sweep)
		if got := rechecked(); got != byAddress {
			t.Errorf("%d requests of %d jobs by their own addresses soon after, want %d", got, jobs, byAddress)
		}
		if got := w.mkio.Requests(project).ByRoute["GET media/jobs"] - idle; got < 2+lists || got > 2+2*lists {
			t.Errorf("%d requests of lists soon after, want 2 in two minutes and %d or twice that besides", got, lists)
		}
		time.Sleep(full)
		if got := rechecked(); got != byAddress {
			t.Errorf("%d requests by address after an hour, want %d", got, byAddress)
		}
		if got := metric(t, b.metrics, "mkio_bridge_history_deliveries_total", "status", "Failed"); int(got) != lost() {
			t.Errorf("%.0f failed deliveries are counted, %d failed", got, lost())
		}
		b.stop()
		b = w.start(lifecycle.Job)
		time.Sleep(full)
		if again := rechecked() - byAddress; again != 0 {
			t.Errorf("the next bridge rechecks %d again", again)
		}
		if got := metric(t, b.metrics, "mkio_bridge_history_deliveries_total"); got != 0 {
			t.Errorf("the next bridge counts %.0f again", got)
		}
	})
}

// Where the history ignores $skiptoken and its links go on, a reading ends with the first page that repeats, and counts each
// delivery once. Where MK.IO refuses the page size, lists are read with a smaller one.
func TestAHistoryThatIgnoresTheOffsetIsReadOnce(t *testing.T) {
	c := mkiofake.Config{Faults: mkiofake.Faults{Failed: 1}, PageSize: 10, MaxTop: 200, HistoryIgnoresOffset: true}
	inWorld(t, c, func(w *world) {
		w.mkio.PutRule(project, "mkio-bridge", mkiofake.Rule{URL: "https://bridge.test/", Events: mkio.Types()})
		b := w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		const jobs = 25
		for i := range jobs {
			key := w.key(lifecycle.Job, "t", fmt.Sprint(i))
			w.mkio.Create(key, "Queued")
			w.mkio.Move(key, "Processing")
		}
		time.Sleep(20 * sweep)
		pages := w.mkio.Requests(project).ByRoute["GET webhook/rules/{}/events"]
		time.Sleep(10 * sweep)
		if more := w.mkio.Requests(project).ByRoute["GET webhook/rules/{}/events"] - pages; more > 2*11 {
			t.Errorf("%d requests for the history in 10 readings", more)
		}
		if got := metric(t, b.metrics, "mkio_bridge_history_deliveries_total", "status", "Failed"); got != 10 {
			t.Errorf("%.0f deliveries of the first page are counted, want 10", got)
		}
		if failed := w.logged("delivery history cannot be read"); len(failed) > 0 {
			t.Error(failed[0])
		}
		if n, _ := b.publisher.Count(lifecycle.Job, project); n != jobs {
			t.Errorf("%d of %d jobs are recorded", n, jobs)
		}
	})
}

// A delivery brings the next delta sweep forward, and hundreds of deliveries cause no more sweeps than one.
func TestABurstOfDeliveriesCausesOneDeltaSweep(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		b := w.start(lifecycle.StreamingLocator)
		time.Sleep(2*sweep + sweep/2)
		before := w.mkio.Requests(project).Gets
		unsent := w.key(lifecycle.StreamingLocator, "unsent")
		w.mkio.Create(unsent, "Created")
		for i := range 300 {
			key := w.key(lifecycle.StreamingLocator, fmt.Sprint(i))
			w.mkio.Create(key, "Created")
			path, inside, _ := mkio.Path(key)
			_, err := b.publisher.Observe(w.t.Context(), lifecycle.Observation{
				Key: key, State: "Created", At: w.mkio.Now(), Via: lifecycle.Webhook,
				Delivery: &lifecycle.Delivery{ID: key.Name(), Type: mkio.TypeStreamingLocatorCreated, Received: time.Now()}, Source: path, Subject: inside,
			})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(active / 300)
		}
		time.Sleep(2 * active)
		w.wantStates(unsent, "Created")
		if gets := w.mkio.Requests(project).Gets - before; gets == 0 || gets > 4 {
			t.Errorf("%d GETs in %s", gets, 3*active)
		}
	})
}
