package poll_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

const (
	deletePatience = 15 * time.Minute
	waiting        = "mkio_bridge_poll_deletions_waiting"
	notFound       = `{"error":{"code":"NotFound","detail":"no such resource"},"status":404}`
)

// lostResources responds like an MK.IO that lost resources of a project: their lists are empty and their own addresses respond
// 404. It counts the requests for their own addresses.
type lostResources struct {
	lists    func(path string) bool // the lists that are empty
	keys     func(path string) bool // the addresses that respond 404
	requests int
}

func (l *lostResources) respond(uri string) (int, string) {
	path, _, _ := strings.Cut(uri, "?")
	switch _, below, _ := strings.Cut(path, "/projects/"+project+"/"); {
	case below == "" || strings.HasSuffix(path, "/events"):
		return 0, ""
	case l.lists(path):
		return http.StatusOK, `{"value":[]}`
	case l.keys(path):
		l.requests++
		return http.StatusNotFound, notFound
	}
	return 0, ""
}

// isList reports whether a path is that of a list.
func isList(path string) bool {
	last := path[strings.LastIndex(path, "/")+1:]
	return slices.Contains([]string{
		"jobs", "assets", "search", "liveEvents", "streamingEndpoints", "streamingLocators", "contentKeyPolicies",
		"liveOutputs", "scheduledOperations", "sources", "content", "destinations",
	}, last)
}

// beginOutage begins an outage in which all resources of the project are lost.
func (w *world) beginOutage() *lostResources {
	l := &lostResources{lists: isList, keys: func(string) bool { return true }}
	w.transport.set(func(tr *transport) { tr.override = l.respond })
	return l
}

// endOutage ends an outage.
func (w *world) endOutage() { w.transport.set(func(tr *transport) { tr.override = nil }) }

// deletions counts the Deleted events.
func (w *world) deletions() (n int) {
	w.t.Helper()
	for _, events := range w.events() {
		for _, e := range events {
			if e.Data.State == lifecycle.StateDeleted {
				n++
			}
		}
	}
	return n
}

// createHalfMoving creates n jobs, of which half are in motion.
func (w *world) createHalfMoving(n int) []lifecycle.Key {
	var keys []lifecycle.Key
	for i := range n {
		keys = append(keys, w.key(lifecycle.Job, "t", fmt.Sprintf("%04d", i)))
		w.mkio.Create(keys[i], []string{"Processing", "Finished"}[i%2])
	}
	return keys
}

func (w *world) delete(keys []lifecycle.Key) {
	for _, key := range keys {
		w.mkio.Delete(key)
	}
}

// inPatientWorld runs a test in a world whose bridges hold back deletions that are too many.
func inPatientWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	inWorld(t, mkiofake.Config{}, func(w *world) { w.deletePatience = deletePatience; test(w) })
}

func TestATemporaryOutageDeletesNothing(t *testing.T) {
	bridgetest.SkipIfShort(t)
	inPatientWorld(t, func(w *world) {
		w.createHalfMoving(100)
		for i := range 30 {
			w.mkio.Create(w.key(lifecycle.Asset, fmt.Sprint(i)), "Ready")
			w.mkio.Create(w.key(lifecycle.LiveEvent, fmt.Sprint(i)), "Running")
			w.mkio.Create(w.key(lifecycle.LiveOutput, fmt.Sprint(i), "dvr"), "Running")
			w.mkio.Create(w.key(lifecycle.LiveChannel, fmt.Sprint(i)), "Running")
			w.mkio.Create(w.key(lifecycle.ScheduledOperation, "live-channel", fmt.Sprint(i), "window"), "Accepted")
		}
		b := w.start()
		time.Sleep(2 * sweep)
		lost := w.beginOutage()
		time.Sleep(2 * sweep)
		if n := metric(t, b.metrics, waiting, "kind", "job"); n != 100 {
			t.Errorf("deletions of %.0f of 100 jobs wait", n)
		}
		var requests int
		w.transport.set(func(*transport) { requests = lost.requests })
		time.Sleep(3 * sweep)
		w.transport.set(func(*transport) { requests = lost.requests - requests })
		if requests > 3*30 { // parents of lists that respond 404 are requested, waiting resources are not
			t.Errorf("%d requests for waiting deletions in three minutes", requests)
		}
		w.endOutage()
		time.Sleep(full)
		if n := w.deletions(); n != 0 {
			t.Errorf("%d are Deleted", n)
		}
		if n := metric(t, b.metrics, waiting); n != 0 {
			t.Errorf("%.0f deletions of existing resources wait", n)
		}
		logs := w.logs.String()
		if n := strings.Count(logs, "deletions wait: too many resources of a kind are gone at once"); n < 5 || n > 5*6 {
			t.Errorf("%d warnings for five kinds, want one each, and one more whenever twice as many wait", n)
		}
		if !strings.Contains(logs, `msg="waiting deletions resolved" project=aurora-vod kind=job recorded=0 seen_again=100`) {
			t.Error("the log does not say that the jobs were seen again")
		}
		w.wantConverged()
	})
}

func TestManyDeletionsAreRecordedOnceConfirmedAgain(t *testing.T) {
	inPatientWorld(t, func(w *world) {
		const jobs = 467
		keys := w.createHalfMoving(jobs)
		b := w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		began := time.Now()
		w.delete(keys)
		time.Sleep(deletePatience - sweep)
		if n := w.deletions(); n != 0 {
			t.Errorf("%d are Deleted before the wait is over", n)
		}
		if n := metric(t, b.metrics, waiting, "kind", "job"); n != jobs {
			t.Errorf("%.0f deletions wait", n)
		}
		time.Sleep(3 * sweep)
		if n := w.deletions(); n != jobs {
			t.Errorf("%d are Deleted after the wait", n)
		}
		for _, events := range w.events() {
			last := events[len(events)-1]
			if from := last.Data.Evidence.SeenAfter; from == nil || from.After(began) || last.RecordedTime.Sub(began) < deletePatience {
				t.Fatalf("a job that was deleted at %s was last seen at %v, and is recorded as Deleted at %s", began, from, last.RecordedTime)
			}
		}
		if n := metric(t, b.metrics, waiting); n != 0 {
			t.Errorf("%.0f recorded deletions still wait", n)
		}
		if !strings.Contains(w.logs.String(), "recorded=467 seen_again=0") {
			t.Error("the log does not say that the deletions are recorded")
		}
		w.wantConverged()
	})
}

// A list of many pages is swept in full once an hour. Its waiting deletions must not take that long.
func TestTheConfirmingSweepIsBroughtForward(t *testing.T) {
	bridgetest.SkipIfShort(t)
	inPatientWorld(t, func(w *world) {
		const rest, gone = 1100, 300
		for i := range rest {
			w.mkio.Create(w.key(lifecycle.StreamingLocator, fmt.Sprint(i)), "Created")
		}
		w.start(lifecycle.StreamingLocator)
		time.Sleep(full - sweep)
		for i := range gone {
			w.mkio.Delete(w.key(lifecycle.StreamingLocator, fmt.Sprint(i)))
		}
		time.Sleep(10 * time.Minute) // the full sweep finds them gone
		if n := w.deletions(); n != 0 {
			t.Errorf("%d are Deleted before the wait is over", n)
		}
		time.Sleep(deletePatience)
		if n := w.deletions(); n != gone {
			t.Errorf("%d of %d are Deleted", n, gone)
		}
	})
}

// A few deletions are recorded at once.
func TestFewDeletionsDoNotWait(t *testing.T) {
	bridgetest.SkipIfShort(t)
	tests := map[string]struct{ live, gone int }{
		"twenty of a thousand":          {1000, 20},
		"a fifth":                       {500, 100},
		"all, where there are few":      {20, 20},
		"a quarter, where that is five": {20, 5},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inPatientWorld(t, func(w *world) {
				keys := w.createHalfMoving(test.live)
				b := w.start(lifecycle.Job)
				time.Sleep(2 * sweep)
				w.delete(keys[:test.gone])
				time.Sleep(2 * sweep)
				if n := w.deletions(); n != test.gone {
					t.Errorf("%d of %d are Deleted", n, test.gone)
				}
				if n := metric(t, b.metrics, waiting); n != 0 {
					t.Errorf("%.0f deletions wait", n)
				}
			})
		})
	}
}

// Twenty deletions a minute count like all at once.
func TestASteadyTrickleOfDeletionsWaits(t *testing.T) {
	inPatientWorld(t, func(w *world) {
		keys := w.createHalfMoving(200)
		w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		for _, some := range slices.Collect(slices.Chunk(keys, 15)) {
			w.delete(some)
			time.Sleep(sweep)
		}
		time.Sleep(sweep)
		if n := w.deletions(); n > 40 {
			t.Errorf("%d of 200 are Deleted in %s", n, deletePatience)
		}
		time.Sleep(deletePatience)
		if n := w.deletions(); n != 200 {
			t.Errorf("%d are Deleted after all have waited", n)
		}
		w.mkio.Create(keys[0], "Processing")
		time.Sleep(2 * sweep)
		w.delete(keys[:1])
		time.Sleep(2 * sweep)
		if n := w.deletions(); n != 201 {
			t.Error("deletions that waited and are recorded make another one wait")
		}
	})
}

// A sweep that fails after thousands of new resources were recorded must not make fifty deletions look few.
func TestResourcesRecordedByAFailedSweepDoNotRaiseTheLimit(t *testing.T) {
	bridgetest.SkipIfShort(t)
	inPatientWorld(t, func(w *world) {
		keys := w.createHalfMoving(50)
		w.start(lifecycle.Job)
		time.Sleep(full - sweep)
		w.delete(keys)
		for i := range 1500 {
			w.mkio.Create(w.key(lifecycle.Job, "t", fmt.Sprintf("new-%d", i)), "Finished")
		}
		w.transport.set(func(tr *transport) {
			tr.override = func(uri string) (int, string) {
				if strings.Contains(uri, "/media/jobs?") && strings.Contains(uri, "skiptoken") {
					return http.StatusBadGateway, "<html>"
				}
				return 0, ""
			}
		})
		time.Sleep(10 * time.Minute)
		w.endOutage()
		time.Sleep(10 * time.Minute)
		if n := w.deletions(); n != 0 {
			t.Errorf("%d of 50 are Deleted before the wait is over", n)
		}
		time.Sleep(deletePatience)
		if n := w.deletions(); n != 50 {
			t.Errorf("%d of 50 are Deleted", n)
		}
	})
}

// One resource reappears while the others stay away.
func TestEachWaitingDeletionEndsSeparately(t *testing.T) {
	inPatientWorld(t, func(w *world) {
		keys := w.createHalfMoving(60)
		b := w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		back := keys[31]
		lost := func(path string) bool {
			return strings.Contains(path, "/jobs") && !strings.HasSuffix(path, back.Name())
		}
		l := &lostResources{lists: func(path string) bool { return strings.HasSuffix(path, "/jobs") }, keys: lost}
		w.delete(append(slices.Clone(keys[:31]), keys[32:]...))
		w.beginOutage()
		time.Sleep(5 * sweep)
		h := &fakeHistory{}
		h.add(time.Now(), "Failed", back.Name()) // which has it rechecked
		w.transport.set(func(tr *transport) {
			tr.override = func(uri string) (int, string) {
				if status, body := h.respond(uri); status != 0 {
					return status, body
				}
				return l.respond(uri) // its list still lacks it
			}
		})
		time.Sleep(6 * sweep) // reading the history failed before, and is retried
		if n := metric(t, b.metrics, waiting); n != 59 {
			t.Errorf("%.0f deletions wait when MK.IO shows one of 60 again", n)
		}
		time.Sleep(2 * deletePatience)
		if n := w.deletions(); n != 59 {
			t.Errorf("%d of 59 are Deleted", n)
		}
		w.wantStates(back, "Finished")
		w.endOutage()
		time.Sleep(2 * sweep)
		if n := metric(t, b.metrics, waiting); n != 0 {
			t.Errorf("%.0f deletions wait", n)
		}
		w.wantConverged()
	})
}

func TestNewLivesUnderWaitingNamesEndTheWait(t *testing.T) {
	bridgetest.SkipIfShort(t)
	inPatientWorld(t, func(w *world) {
		keys := w.createHalfMoving(50)
		w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		w.delete(keys)
		time.Sleep(3 * sweep)
		for _, key := range keys {
			w.mkio.Create(key, "Queued")
		}
		time.Sleep(2 * sweep)
		for i, key := range keys {
			w.wantStates(key, []string{"Processing", "Finished"}[i%2], "Deleted", "Queued")
		}
		w.wantConverged()
	})
}

func TestWithoutDeletePatienceNothingWaits(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		keys := w.createHalfMoving(100)
		w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		w.delete(keys)
		time.Sleep(2 * sweep)
		if n := w.deletions(); n != 100 {
			t.Errorf("%d of 100 are Deleted", n)
		}
	})
}

// A new bridge does not know the waiting deletions, so they wait again from the start.
func TestARestartStartsTheWaitAgain(t *testing.T) {
	inPatientWorld(t, func(w *world) {
		keys := w.createHalfMoving(100)
		b := w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		w.delete(keys)
		time.Sleep(deletePatience - 3*sweep)
		b.stop()
		if n := metric(t, b.metrics, waiting); n != 0 {
			t.Errorf("a bridge that does not poll any more exports %.0f waiting deletions", n)
		}
		w.start(lifecycle.Job)
		time.Sleep(deletePatience - 2*sweep)
		if n := w.deletions(); n != 0 {
			t.Errorf("%d are Deleted", n)
		}
		time.Sleep(4 * sweep)
		if n := w.deletions(); n != 100 {
			t.Errorf("%d of 100 are Deleted", n)
		}
	})
}

// While deletions of a kind wait, its coverage has a gap, and that of other kinds has none.
func TestWhileDeletionsWaitTheirKindHasAGap(t *testing.T) {
	inPatientWorld(t, func(w *world) {
		var channels []lifecycle.Key
		for i := range 30 {
			channels = append(channels, w.key(lifecycle.LiveChannel, fmt.Sprint(i)))
			w.mkio.Create(channels[i], "Running")
		}
		w.mkio.Create(w.key(lifecycle.LiveAPIEvent, "match"), "Running") // on the same list
		w.start(lifecycle.LiveChannel, lifecycle.LiveAPIEvent)
		time.Sleep(2 * sweep)
		began := time.Now()
		w.delete(channels)
		time.Sleep(5 * sweep)
		records := w.records(lifecycle.LiveChannel)
		if last := records[len(records)-1]; last.Record != event.GapOpened || last.Reason != "30 deletions wait to be confirmed again" {
			t.Errorf("the last record is %+v", last)
		}
		if c := w.coverageSince(lifecycle.LiveAPIEvent, began); !c.Complete() {
			t.Errorf("another kind of the list is not covered: %+v", c)
		}
		time.Sleep(deletePatience)
		closed := time.Now()
		time.Sleep(full)
		if c := w.coverageSince(lifecycle.LiveChannel, closed); !c.Complete() {
			t.Errorf("the kind is not covered after its deletions were recorded: %+v", c)
		}
	})
}
