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

// See TestSoakABurst and its like for the sizes of the field.
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
		known := func() int {
			living, _ := b.publisher.Count(lifecycle.Job, project)
			return living
		}
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
	checkDeletions(t, lifecycle.Job, 2_000, 350, 100)
}

// The active poll of a short list requests all of it, and must not wait for the deletions that it finds.
func TestManyDeletionsOnAShortListDelayNoneInMotion(t *testing.T) {
	bridgetest.SkipIfShort(t)
	checkDeletions(t, lifecycle.LiveEvent, 900, 170, 50)
}

// movingStates are the states through which resources move in checkDeletions.
var movingStates = map[lifecycle.Kind][]string{
	lifecycle.Job:       {"Queued", "Scheduled", "Processing", "Finished"},
	lifecycle.LiveEvent: {"Starting", "Stopping", "Deleting", "Stopped"},
}

// checkDeletions checks that many deletions at once, too few to wait, do not delay the resources in motion.
func checkDeletions(t *testing.T, kind lifecycle.Kind, rest, deleted, motion int) {
	t.Helper()
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.transport.set(func(tr *transport) { tr.latency = time.Second })
		key := func(name string, i int) lifecycle.Key {
			if kind == lifecycle.Job {
				return w.key(kind, "t", fmt.Sprint(name, "-", i))
			}
			return w.key(kind, fmt.Sprint(name, "-", i))
		}
		states := movingStates[kind]
		for i := range rest {
			w.mkio.Create(key("rest", i), states[len(states)-1])
		}
		for i := range motion {
			w.mkio.Create(key("moving", i), states[0])
		}
		w.start(kind)
		time.Sleep(2 * sweep)
		for i := range deleted {
			w.mkio.Delete(key("rest", i))
		}
		for _, state := range states[1:] {
			for i := range motion {
				w.mkio.Move(key("moving", i), state)
				time.Sleep(20 * time.Minute / time.Duration(len(states)*motion))
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

// The first sweep of assets takes longer than the interval of delta sweeps, because it requests each state. Delta sweeps beside it
// list the same assets, and do not request their states again.
func TestTheFirstSweepAndDeltaSweepsRequestAStateOnce(t *testing.T) {
	bridgetest.SkipIfShort(t)
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.transport.set(func(tr *transport) { tr.latency = 200 * time.Millisecond })
		const assets = 3_000
		for i := range assets {
			w.mkio.Create(w.key(lifecycle.Asset, fmt.Sprint(i)), "Ready")
		}
		w.start(lifecycle.Asset)
		time.Sleep(5 * time.Minute)
		requests := w.mkio.Requests(project)
		t.Log(requests.ByRoute)
		if got := requests.ByRoute["GET media/assets/{}/state"]; got != assets {
			t.Errorf("%d requests of the states of %d assets", got, assets)
		}
		w.wantConverged()
	})
}

func TestATakeOverCausesNoStorm(t *testing.T) {
	bridgetest.SkipIfShort(t)
	checkTakeOver(t, 500, 150, 30)
}

// checkTakeOver checks that a bridge that starts with many resources in motion takes few requests.
func checkTakeOver(t *testing.T, jobs, assets, events int) {
	t.Helper()
	inWorld(t, mkiofake.Config{}, func(w *world) {
		for i := range assets {
			w.mkio.Create(w.key(lifecycle.Asset, fmt.Sprint(i)), "Pending")
		}
		for i := range events { // each has a list of live outputs
			w.mkio.Create(w.key(lifecycle.LiveEvent, fmt.Sprint(i)), "Running")
			w.mkio.Create(w.key(lifecycle.LiveOutput, fmt.Sprint(i), "dvr"), "Running")
		}
		b := w.start()
		time.Sleep(2 * full) // the assets have been Pending for long
		for i := range jobs {
			w.mkio.Create(w.key(lifecycle.Job, "t", fmt.Sprint(i)), "Processing")
		}
		time.Sleep(2 * sweep)
		b.stop()
		before := w.mkio.Requests(project)
		w.start()
		time.Sleep(time.Minute)
		first := w.mkio.Requests(project)
		time.Sleep(10 * time.Minute)
		after := w.mkio.Requests(project)
		inFirst, later := first.Gets-before.Gets, (after.Gets-first.Gets)/10
		t.Logf("%d GETs in the first minute, %d in each of the next ten; %v", inFirst, later, after.ByRoute)
		if inFirst > 2*later+100 {
			t.Errorf("%d GETs in the first minute after the take-over, and %d a minute later", inFirst, later)
		}
		w.wantConverged()
	})
}

func TestManyParentsDelayNoJob(t *testing.T) {
	bridgetest.SkipIfShort(t)
	checkParents(t, 60, 100)
}

// checkParents checks that the lists below many parents take no more than their share of the budget, and delay no job.
func checkParents(t *testing.T, parents, perMinute int) {
	t.Helper()
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.transport.set(func(tr *transport) { tr.latency = 100 * time.Millisecond })
		w.perMinute = perMinute
		for i := range parents {
			w.mkio.Create(w.key(lifecycle.LiveEvent, fmt.Sprint(i)), "Running")
			w.mkio.Create(w.key(lifecycle.LiveOutput, fmt.Sprint(i), "dvr"), "Creating")
		}
		job := w.key(lifecycle.Job, "t", "ep")
		w.mkio.Create(job, "Queued")
		b := w.start(lifecycle.Job, lifecycle.LiveEvent, lifecycle.LiveOutput)
		time.Sleep(5 * time.Minute)
		for _, state := range []string{"Scheduled", "Processing", "Finished"} {
			w.mkio.Move(job, state)
			w.awaitState(b, 2*active, job, state)
			time.Sleep(sweep)
		}
		before := w.mkio.Requests(project)
		for i := range parents {
			w.mkio.Move(w.key(lifecycle.LiveOutput, fmt.Sprint(i), "dvr"), "Running")
		}
		time.Sleep(5 * time.Minute)
		after := w.mkio.Requests(project)
		t.Logf("%d GETs in five minutes, %d at most in one; %v", after.Gets-before.Gets, after.MostGetsPerMinute, after.ByRoute)
		if after.MostGetsPerMinute > perMinute || after.Limited > 0 {
			t.Errorf("%d GETs in one minute", after.MostGetsPerMinute)
		}
		w.wantConverged()
	})
}
