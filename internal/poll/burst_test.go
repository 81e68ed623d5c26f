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

// See TestLongABurst and its like for the sizes of the field.
func TestABurst(t *testing.T) {
	bridgetest.SkipIfShort(t)
	checkBurst(t, 1_000)
}

// checkBurst checks that jobs which are submitted at once, and whose next change is delivered for every second one, are all
// recorded soon, within the budget, and that few requests follow.
func checkBurst(t *testing.T, jobs int) {
	t.Helper()
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.transport.set(func(tr *transport) { tr.latency = 200 * time.Millisecond })
		b := w.start()
		time.Sleep(5 * time.Minute) // the first sweep, and the start of the budget
		keys := make([]lifecycle.Key, jobs)
		for i := range keys {
			keys[i] = w.key(lifecycle.Job, "t", fmt.Sprint(i))
			w.mkio.Create(keys[i], "Queued")
		}
		time.Sleep(30 * time.Second)
		for i, key := range keys {
			w.mkio.Move(key, "Finished")
			if i%2 == 0 {
				w.deliver(b, key, "Finished")
			}
			time.Sleep(sweep / time.Duration(jobs))
		}
		atEnd := w.mkio.Requests(project)
		time.Sleep(time.Minute)
		after := w.mkio.Requests(project)
		events, most := 0, time.Duration(0)
		for _, of := range w.events() {
			events += len(of)
			for _, e := range of {
				if e.Data.Via == lifecycle.Poll {
					most = max(most, e.RecordedTime.Sub(*e.Data.Evidence.Modified))
				}
			}
		}
		t.Logf("%d events, the latest %s after its change; %d GETs until the last change, %d in the minute after it, %d at most in one; %v",
			events, most, atEnd.Gets, after.Gets-atEnd.Gets, after.MostGetsPerMinute, after.ByRoute)
		if events != 2*jobs || most > 90*time.Second {
			t.Errorf("%d events, the latest %s after its change", events, most)
		}
		if after.MostGetsPerMinute > 1000 || after.Limited > 0 {
			t.Errorf("%d GETs in one minute", after.MostGetsPerMinute)
		}
		if gets := after.Gets - atEnd.Gets; gets > 300 {
			t.Errorf("%d GETs in the minute after the last change", gets)
		}
		w.wantConverged()
	})
}

// deliver records the state of a resource as a delivery of its last change would.
func (w *world) deliver(b *bridge, key lifecycle.Key, state string) {
	w.t.Helper()
	path, inside, _ := mkio.Path(key)
	_, err := b.publisher.Observe(w.t.Context(), lifecycle.Observation{
		Key: key, State: state, At: w.mkio.Now(), Via: lifecycle.Webhook,
		Life:     w.mkio.Current()[key].Life,
		Delivery: &lifecycle.Delivery{ID: key.Name() + state, Type: "MediaKind.Job" + state, Received: time.Now()}, Source: path, Subject: inside,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestManyFreshJobs(t *testing.T) {
	bridgetest.SkipIfShort(t)
	checkFresh(t, 2_000)
}

// checkFresh checks that jobs which were all modified just before the first sweep are known soon, by few requests.
func checkFresh(t *testing.T, jobs int) {
	t.Helper()
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.transport.set(func(tr *transport) { tr.latency = 200 * time.Millisecond })
		for i := range jobs {
			w.mkio.Create(w.key(lifecycle.Job, "t", fmt.Sprint(i)), "Finished")
		}
		time.Sleep(time.Minute)
		b := w.start(lifecycle.Job)
		began := time.Now()
		known := func() int { return b.publisher.Count(lifecycle.Job, project) }
		for known() < jobs && time.Since(began) < 5*time.Minute {
			time.Sleep(time.Second)
		}
		took := time.Since(began)
		time.Sleep(time.Minute - took%time.Minute)
		requests := w.mkio.Requests(project)
		t.Logf("%d jobs known after %s; %d GETs until %s; %v", known(), took, requests.Gets, time.Since(began), requests.ByRoute)
		if took > 30*time.Second || requests.Gets > 60 {
			t.Errorf("%d of %d jobs are known after %s and %d GETs", known(), jobs, took, requests.Gets)
		}
		w.wantConverged()
	})
}

func TestManyDeletionsDelayNoneInMotion(t *testing.T) {
	bridgetest.SkipIfShort(t)
	checkDeletions(t, 2_000, 1_000, 100)
}

// checkDeletions checks that many deletions at once do not delay the resources in motion.
func checkDeletions(t *testing.T, rest, deleted, motion int) {
	t.Helper()
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.transport.set(func(tr *transport) { tr.latency = 200 * time.Millisecond })
		var resting, moving []lifecycle.Key
		for i := range rest {
			resting = append(resting, w.key(lifecycle.Job, "t", fmt.Sprint("rest-", i)))
			w.mkio.Create(resting[i], "Finished")
		}
		for i := range motion {
			moving = append(moving, w.key(lifecycle.Job, "t", fmt.Sprint("moving-", i)))
			w.mkio.Create(moving[i], "Queued")
		}
		w.start()
		time.Sleep(2 * sweep)
		for _, key := range resting[:deleted] {
			w.mkio.Delete(key)
		}
		states := []string{"Scheduled", "Processing", "Finished"}
		for _, state := range states {
			for _, key := range moving {
				w.mkio.Move(key, state)
				time.Sleep(40 * time.Minute / time.Duration(len(states)*motion))
			}
		}
		time.Sleep(full)
		requests := w.mkio.Requests(project)
		gone, most := 0, time.Duration(0)
		for _, of := range w.events() {
			for _, e := range of {
				if e.Data.State == lifecycle.StateDeleted {
					gone++
				} else if e.Data.PreviousState != nil {
					most = max(most, e.RecordedTime.Sub(*e.Data.Evidence.Modified))
				}
			}
		}
		t.Logf("%d deletions; those in motion seen within %s; %d GETs at most in a minute; %v", gone, most, requests.MostGetsPerMinute, requests.ByRoute)
		if gone != deleted || most > 2*active {
			t.Errorf("%d of %d deletions recorded; those in motion seen within %s", gone, deleted, most)
		}
		if requests.MostGetsPerMinute > 1000 || requests.Limited > 0 {
			t.Errorf("%d GETs in one minute", requests.MostGetsPerMinute)
		}
		w.wantConverged()
	})
}
