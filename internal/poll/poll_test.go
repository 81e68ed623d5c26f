package poll_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/mkio/mkiofake"
)

func TestPollingAloneRecordsAllStatesOfAllKinds(t *testing.T) {
	bridgetest.SkipIfShort(t)
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.start()
		time.Sleep(2 * sweep) // the first sweep finds nothing
		lives := w.lives()
		for step := range 8 {
			for key, states := range lives {
				switch {
				case step == 0:
					w.mkio.Create(key, states[0])
				case step < len(states):
					w.mkio.Move(key, states[step])
				}
			}
			time.Sleep(full) // children of parents at rest are polled that seldom
		}
		events := w.events()
		for key, states := range lives {
			w.wantStates(key, states...)
			for _, e := range events[key] {
				if e.Type() != event.TypeOf(key.Kind, false) || e.Data.Via != lifecycle.Poll {
					t.Errorf("%s: %s via %s", key, e.Type(), e.Data.Via)
				}
			}
		}
		for key := range lives {
			if _, child := mkio.ParentOf(key); !child {
				w.mkio.Delete(key) // with its children
			}
		}
		time.Sleep(2 * full)
		for key, states := range lives {
			w.wantStates(key, append(states, "Deleted")...)
		}
		w.wantConverged()
	})
}

func TestResourcesBeforeTheFirstSweepAreDiscovered(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		old, oldOperation := w.key(lifecycle.Job, "t", "old"), w.key(lifecycle.ScheduledOperation, "live-channel", "news", "old")
		w.mkio.Create(old, "Processing")
		w.mkio.Create(w.key(lifecycle.LiveChannel, "news"), "Running")
		w.mkio.Create(oldOperation, "Accepted")
		time.Sleep(time.Minute)
		b := w.start()
		time.Sleep(2 * sweep)
		b.stop()
		fresh := w.key(lifecycle.Job, "t", "new")
		w.mkio.Create(fresh, "Queued") // while no bridge runs
		w.mkio.Move(old, "Finished")
		time.Sleep(2 * sweep)
		w.start()
		time.Sleep(2 * sweep)
		freshOperation := w.key(lifecycle.ScheduledOperation, "live-channel", "news", "new")
		w.mkio.Create(freshOperation, "Pending")
		time.Sleep(full)
		for key, want := range map[lifecycle.Key][]bool{old: {true, false}, fresh: {false}, oldOperation: {true}, freshOperation: {false}} {
			var got []bool
			for _, e := range w.events()[key] {
				got = append(got, e.Type() == event.TypeOf(key.Kind, true))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: discovered %v, want %v", key, got, want)
			}
		}
	})
}

func TestAReusedNameIsAnotherLife(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.start()
		for _, key := range []lifecycle.Key{w.key(lifecycle.Job, "t", "promo"), w.key(lifecycle.Asset, "promo")} {
			first, last := "Processing", "Finished"
			if key.Kind == lifecycle.Asset {
				first, last = "Pending", "Ready"
			}
			w.mkio.Create(key, first)
			time.Sleep(sweep)
			w.mkio.Move(key, last)
			time.Sleep(2 * sweep)
			w.mkio.Delete(key)
			time.Sleep(time.Millisecond)
			w.mkio.Create(key, first)
			time.Sleep(2 * full)
			w.wantStates(key, first, last, "Deleted", first)
		}
		w.wantConverged()
	})
}

// A list may lag behind a deletion: a resource that is recorded as Deleted is recorded again only by its own address.
func TestAListThatShowsDeletedResourcesRevivesNone(t *testing.T) {
	bridgetest.SkipIfShort(t)
	inWorld(t, mkiofake.Config{Faults: mkiofake.Faults{StaleBy: 100 * full}}, func(w *world) {
		keys := []lifecycle.Key{w.key(lifecycle.Job, "t", "ep"), w.key(lifecycle.Asset, "ep"), w.key(lifecycle.StreamingEndpoint, "edge")}
		for _, key := range keys {
			w.mkio.Create(key, "Stopped")
		}
		w.start()
		time.Sleep(2 * sweep)
		for _, key := range keys {
			w.mkio.Delete(key)
		}
		time.Sleep(2 * full)
		w.mkio.SetFaults(mkiofake.Faults{Stale: 1, StaleBy: 100 * full})
		time.Sleep(2 * full)
		for _, key := range keys {
			w.wantStates(key, "Stopped", "Deleted")
		}
	})
}

// See TestLongTenThousandAtRestAndTwoHundredInMotion for more of them.
func TestManyAtRestAndSomeInMotion(t *testing.T) {
	bridgetest.SkipIfShort(t)
	checkInMotion(t, 1_500, 50)
}

// checkInMotion checks that changes of moving jobs beside many at rest are recorded soon, within the request budget.
func checkInMotion(t *testing.T, rest, motion int) {
	t.Helper()
	inWorld(t, mkiofake.Config{}, func(w *world) {
		for i := range rest {
			w.mkio.Create(w.key(lifecycle.Job, "t", fmt.Sprintf("rest-%d", i)), "Finished")
		}
		states := []string{"Queued", "Scheduled", "Processing", "Finished"}
		at := map[lifecycle.Key]int{}
		var moving []lifecycle.Key
		for i := range motion {
			key := w.key(lifecycle.Job, "t", fmt.Sprintf("moving-%d", i))
			w.mkio.Create(key, states[0])
			moving = append(moving, key)
		}
		w.start(lifecycle.Job)
		time.Sleep(5 * time.Minute) // the first sweep
		before := w.mkio.Requests(project)
		const minutes = 5
		fresh := 0
		for range minutes * 60 { // every second one job moves on; a new one replaces a finished one
			i := fresh % motion
			key := moving[i]
			if at[key]++; at[key] < len(states) {
				w.mkio.Move(key, states[at[key]])
			} else {
				moving[i] = w.key(lifecycle.Job, "t", fmt.Sprintf("more-%d", fresh))
				w.mkio.Create(moving[i], states[0])
			}
			fresh++
			time.Sleep(time.Second)
		}
		time.Sleep(2 * sweep)
		after := w.mkio.Requests(project)
		perMinute := float64(after.Gets-before.Gets) / (minutes + 2)
		var late []time.Duration
		for key, events := range w.events() {
			for _, e := range events {
				if e.Data.PreviousState != nil && strings.HasPrefix(key.Name(), "mov") {
					late = append(late, e.RecordedTime.Sub(*e.Data.Evidence.Modified))
				}
			}
		}
		slices.Sort(late)
		half, most := late[len(late)/2], late[len(late)*99/100]
		t.Logf("%d changes, %.0f GETs a minute, %d at most in one; half within %s, 99 in 100 within %s", len(late), perMinute, after.MostGetsPerMinute, half, most)
		t.Log(after.ByRoute)
		if after.MostGetsPerMinute > 1000 || after.Limited > 0 {
			t.Errorf("%d GETs in one minute", after.MostGetsPerMinute)
		}
		if perMinute > 300 || half > active || most > 2*active {
			t.Errorf("over the budget, or late")
		}
		w.wantConverged()
	})
}

func TestTwoBridgesPollAProjectOnce(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		job := w.key(lifecycle.Job, "t", "ep")
		w.mkio.Create(job, "Queued")
		a := w.start(lifecycle.Job)
		time.Sleep(sweep)
		w.start(lifecycle.Job)
		one := w.mkio.Requests(project).Gets
		time.Sleep(10 * time.Minute)
		if gets := w.mkio.Requests(project).Gets - one; gets > 150 {
			t.Errorf("%d GETs in ten minutes: both poll", gets)
		}
		a.stop()
		w.mkio.Move(job, "Processing")
		time.Sleep(2 * active) // until the other acquires the lease
		w.wantStates(job, "Queued", "Processing")
	})
}

// Whatever fails in MK.IO, nothing is Deleted, and the log converges when it is over.
func TestFaultsOfMKIODeleteNothing(t *testing.T) {
	bridgetest.SkipIfShort(t)
	tests := map[string]func(m *mkiofake.MKIO, on bool){
		"a token that is revoked":              func(m *mkiofake.MKIO, on bool) { m.Revoke(on) },
		"a project that vanishes":              func(m *mkiofake.MKIO, on bool) { m.SetHidden(project, on) },
		"lists that are empty":                 func(m *mkiofake.MKIO, on bool) { m.SetEmptyLists(project, on) },
		"a kind that the token may not see":    func(m *mkiofake.MKIO, on bool) { m.Forbid(project, lifecycle.Job, on) },
		"pages that fail midway":               faulty(mkiofake.Faults{PageFail: 1}),
		"lists that are empty with status 200": faulty(mkiofake.Faults{EmptyList: 1}),
		"a gateway that answers HTML":          faulty(mkiofake.Faults{Gateway: 1}),
		"connections that break":               faulty(mkiofake.Faults{Cut: 1}),
		"servers that fail":                    faulty(mkiofake.Faults{ServerError: 1}),
	}
	for name, fail := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, mkiofake.Config{PageSize: 20}, func(w *world) {
				var keys []lifecycle.Key
				for i := range 50 {
					keys = append(keys, w.key(lifecycle.Job, "t", fmt.Sprint(i)), w.key(lifecycle.Asset, fmt.Sprint(i)))
					w.mkio.Create(keys[2*i], "Processing")
					w.mkio.Create(keys[2*i+1], "Ready")
				}
				b := w.start()
				time.Sleep(2 * sweep)
				fail(w.mkio, true)
				before := w.mkio.Requests(project).Gets
				time.Sleep(full + 2*sweep)
				if gets := w.mkio.Requests(project).Gets - before; gets > 60*60 {
					t.Errorf("%d GETs in an hour of failures", gets)
				}
				events := w.events()
				for _, key := range keys {
					if got := events[key]; len(got) != 1 {
						t.Fatalf("%s has %d events", key, len(got))
					}
				}
				if failures := metric(t, b.metrics, "mkio_bridge_poll_failures_total"); failures == 0 {
					t.Error("no metric counts it")
				}
				if !strings.Contains(w.logs.String(), "level=WARN") && !strings.Contains(w.logs.String(), "level=ERROR") {
					t.Error("no warning is logged")
				}
				fail(w.mkio, false)
				for i, key := range keys {
					if i%2 == 0 {
						w.mkio.Move(key, "Finished")
					}
				}
				time.Sleep(full)
				w.wantConverged()
			})
		})
	}
}

// faulty switches faults on and off.
func faulty(f mkiofake.Faults) func(*mkiofake.MKIO, bool) {
	return func(m *mkiofake.MKIO, on bool) {
		if !on {
			f = mkiofake.Faults{}
		}
		m.SetFaults(f)
	}
}
