package poll_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

func TestARowWithoutAStateBlocksNoOther(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		endpoint := func(n int) lifecycle.Key { return w.key(lifecycle.StreamingEndpoint, fmt.Sprint(n)) }
		for n := range 3 {
			w.mkio.Create(endpoint(n), "Stopped")
			time.Sleep(time.Second)
		}
		w.transport.set(func(tr *transport) {
			tr.editRecord = func(_ string, row map[string]any) {
				if row["name"] == "1" {
					delete(row["properties"].(map[string]any), "resourceState")
				}
			}
		})
		b := w.start(lifecycle.StreamingEndpoint)
		time.Sleep(2 * sweep)
		w.mkio.Move(endpoint(2), "Running")
		w.mkio.Create(endpoint(3), "Stopped")
		w.mkio.Delete(endpoint(0))
		time.Sleep(full)
		w.wantStates(endpoint(0), "Stopped", "Deleted")
		w.wantStates(endpoint(1))
		w.wantStates(endpoint(2), "Stopped", "Running")
		w.wantStates(endpoint(3), "Stopped")
		if metric(t, b.metrics, "mkio_bridge_poll_failures_total") == 0 || !strings.Contains(w.logs.String(), "has no state") {
			t.Error("neither a metric nor the log reports it")
		}
	})
}

func TestAFailingAddressBlocksNoOther(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		asset := func(n int) lifecycle.Key { return w.key(lifecycle.Asset, fmt.Sprintf("%03d", n)) }
		for n := range 100 {
			w.mkio.Create(asset(n), "Ready")
		}
		w.transport.set(failAt("/assets/007/state", 500))
		b := w.start(lifecycle.Asset)
		time.Sleep(2 * sweep)
		if n, _ := b.publisher.Count(lifecycle.Asset, project); n != 99 {
			t.Errorf("%d of 99 assets are recorded", n)
		}
		w.transport.set(failAt("/assets/008", 500))
		for n := range 20 {
			w.mkio.Delete(asset(n))
		}
		time.Sleep(2 * full)
		for n := range 20 {
			switch n {
			case 7:
				// its list may have had it as Ready before it was deleted
			case 8:
				w.wantStates(asset(n), "Ready")
			default:
				w.wantStates(asset(n), "Ready", "Deleted")
			}
		}
	})
}

// A child list that responds 404 counts as empty only if its parent is gone too.
func TestAChildListThatIsNotFoundIsEmptyOnlyWithoutItsParent(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		operation := w.key(lifecycle.ScheduledOperation, "live-channel", "news", "window")
		w.mkio.Create(w.key(lifecycle.LiveChannel, "news"), "Running")
		w.mkio.Create(operation, "Accepted")
		w.start(lifecycle.Job, lifecycle.LiveChannel, lifecycle.ScheduledOperation)
		time.Sleep(2 * sweep)
		for _, part := range []string{"/live/", "/scheduledOperations"} {
			w.transport.set(failAt(part, 404))
			time.Sleep(2 * full)
			w.wantStates(operation, "Accepted")
		}
	})
}

func TestOneKindOfAListBlocksNoOther(t *testing.T) {
	tests := map[string]func(w *world, other lifecycle.Key){
		"a kind that is forbidden": func(w *world, other lifecycle.Key) { w.mkio.Forbid(project, other.Kind, true) },
		"a record of an unknown kind": func(w *world, other lifecycle.Key) {
			w.transport.set(func(tr *transport) {
				tr.editRecord = func(path string, row map[string]any) {
					if metadata, ok := row["metadata"].(map[string]any); ok && metadata["name"] == other.Name() && strings.HasSuffix(path, "/search") {
						row["spec"].(map[string]any)["transform"] = map[string]any{"type": "AudioChannel"}
					}
				}
			})
		},
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, mkiofake.Config{}, func(w *world) {
				channel, other := w.key(lifecycle.LiveChannel, "news"), w.key(lifecycle.LiveAPIEvent, "match")
				w.mkio.Create(channel, "Running")
				w.mkio.Create(other, "Running")
				w.start(lifecycle.LiveChannel, lifecycle.LiveAPIEvent)
				time.Sleep(2 * sweep)
				spoil(w, other)
				w.mkio.Delete(channel)
				time.Sleep(2 * full)
				w.wantStates(channel, "Running", "Deleted")
				w.wantStates(other, "Running")
			})
		})
	}
}

func TestARefusedListBlocksNoOther(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		job := w.key(lifecycle.Job, "t", "ep")
		w.mkio.Create(job, "Queued")
		w.transport.set(failAt("/live/search", 401))
		b := w.start(lifecycle.Job, lifecycle.LiveChannel)
		time.Sleep(full)
		w.mkio.Move(job, "Processing")
		w.awaitState(b, 2*active, job, "Processing")
	})
}

func TestAClockAheadLosesNoChange(t *testing.T) {
	bridgetest.SkipIfShort(t)
	inWorld(t, mkiofake.Config{}, func(w *world) {
		for n := range 1500 { // more than a page, so that delta sweeps are used
			w.mkio.Create(w.key(lifecycle.Job, "t", fmt.Sprint(n)), "Finished")
		}
		w.transport.set(func(tr *transport) { tr.clockAhead = 4 * time.Minute })
		b := w.start(lifecycle.Job)
		time.Sleep(10 * time.Minute)
		job := w.key(lifecycle.Job, "t", "new")
		w.mkio.Create(job, "Queued")
		w.awaitState(b, 2*sweep, job, "Queued")
	})
}

// See TestLongAThousandPendingResourcesDelayNoOther for more of them.
func TestResourcesThatStayPendingDelayNoOther(t *testing.T) {
	bridgetest.SkipIfShort(t)
	checkPending(t, 200)
}

// checkPending checks that new assets are recorded soon beside many that stay Pending.
func checkPending(t *testing.T, pending int) {
	t.Helper()
	inWorld(t, mkiofake.Config{}, func(w *world) {
		for n := range pending {
			w.mkio.Create(w.key(lifecycle.Asset, fmt.Sprintf("old-%04d", n)), "Pending")
		}
		before := w.start(lifecycle.Asset)
		time.Sleep(full)
		before.stop()
		time.Sleep(12 * time.Hour)
		b := w.start(lifecycle.Asset, lifecycle.Job) // a bridge that has not seen them before
		time.Sleep(2 * sweep)
		gets := w.mkio.Requests(project).Gets
		time.Sleep(full)
		if perMinute := (w.mkio.Requests(project).Gets - gets) / 60; perMinute > 30 {
			t.Errorf("%d GETs a minute for assets that stay Pending", perMinute)
		}
		fresh := w.key(lifecycle.Asset, "fresh")
		w.mkio.Create(fresh, "Pending")
		w.awaitState(b, 2*sweep, fresh, "Pending")
		w.mkio.Move(fresh, "Ready")
		w.awaitState(b, 2*active, fresh, "Ready")
		old := w.key(lifecycle.Asset, "old-0007")
		w.mkio.Move(old, "Ready") // its list shows that
		w.awaitState(b, 2*sweep, old, "Ready")
	})
}

func TestADeliveryHistoryThatStartsOverIsRead(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.mkio.Create(w.key(lifecycle.Job, "t", "lost"), "Finished")
		h := &fakeHistory{}
		for n := range 25 {
			h.add(time.Now(), "Sent", fmt.Sprint(n))
		}
		w.transport.set(func(tr *transport) { tr.override = h.respond })
		w.start(lifecycle.Job)
		time.Sleep(full)
		w.transport.set(func(*transport) { h.rows = nil; h.add(time.Now(), "Failed", "lost") }) // the rule was deleted and created again
		time.Sleep(full)
		w.transport.set(func(*transport) {
			if h.lookups != 1 {
				t.Errorf("%d look-ups", h.lookups)
			}
		})
	})
}

func TestADeliveryThatStaysPendingIsSettledAfterALimit(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.mkio.Create(w.key(lifecycle.Job, "t", "lost"), "Finished")
		h := &fakeHistory{}
		began := time.Now()
		h.add(began, "Pending", "lost")
		for n := range 500 {
			h.add(began, "Sent", fmt.Sprint(n))
		}
		w.transport.set(func(tr *transport) { tr.override = h.respond })
		w.start(lifecycle.Job)
		time.Sleep(2 * full)
		w.transport.set(func(*transport) { h.pages = 0 })
		time.Sleep(full)
		w.transport.set(func(*transport) {
			if h.pages > 100 || h.lookups != 1 {
				t.Errorf("%d pages in an hour, %d look-ups", h.pages, h.lookups)
			}
		})
	})
}
