package poll_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// A way to MK.IO may have answers of its own, and change those of MK.IO.
type transport struct {
	mu         sync.Mutex
	next       http.RoundTripper
	token      string                                      // that bridges have for it
	override   func(path string) (status int, body string) // 0: MK.IO answers
	editRecord func(path string, row map[string]any)       // a record, on a list or by itself
	editBody   func(path string, top map[string]any)       // a whole answer
	clockAhead time.Duration                               // of the clock in answers
	latency    time.Duration                               // each answer
}

// given is the token as it is now.
func (tr *transport) currentToken() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.token
}

func (tr *transport) set(change func(tr *transport)) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	change(tr)
}

func (tr *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	tr.mu.Lock()
	takes := tr.latency
	tr.mu.Unlock()
	time.Sleep(takes)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.override != nil {
		if status, body := tr.override(r.URL.RequestURI()); status != 0 {
			return &http.Response{
				StatusCode: status, Header: http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}},
				Body: io.NopCloser(strings.NewReader(body)), Request: r,
			}, nil
		}
	}
	response, err := tr.next.RoundTrip(r)
	if err != nil {
		return response, err
	}
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		response.Header.Set("Date", date.Add(tr.clockAhead).Format(http.TimeFormat))
	}
	if tr.editRecord != nil || tr.editBody != nil {
		tr.rewrite(r.URL.Path, response)
	}
	return response, nil
}

// rewrite spoils the records of an answer.
func (tr *transport) rewrite(path string, response *http.Response) {
	body, _ := io.ReadAll(response.Body)
	var top map[string]any
	if json.Unmarshal(body, &top) == nil {
		rows, ok := top["value"].([]any)
		if !ok {
			rows = []any{top}
		}
		for _, row := range rows {
			if tr.editRecord != nil {
				tr.editRecord(path, row.(map[string]any))
			}
		}
		if tr.editBody != nil {
			tr.editBody(path, top)
		}
		body, _ = json.Marshal(top)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	response.ContentLength = int64(len(body))
}

// failAt has MK.IO answer with an error at addresses with some part.
func failAt(part string, status int) func(*transport) {
	return func(w *transport) {
		w.override = func(path string) (int, string) {
			if strings.Contains(path, part) {
				return status, fmt.Sprintf(`{"error":{"code":"x","detail":"y"},"status":%d}`, status)
			}
			return 0, ""
		}
	}
}

// recordedWithin waits until the log has a resource in a state.
func (w *world) awaitState(b *bridge, most time.Duration, key lifecycle.Key, state string) {
	w.t.Helper()
	began := time.Now()
	for time.Since(began) < most {
		if fact, ok := b.publisher.Recorded(key); ok && fact.State == state {
			return
		}
		time.Sleep(time.Second)
	}
	w.t.Errorf("%s is not recorded in %q after %s", key, state, most)
}

func TestARowWithoutAStateHoldsUpNoOther(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		endpoint := func(n int) lifecycle.Key { return w.key(lifecycle.StreamingEndpoint, fmt.Sprint(n)) }
		for n := range 3 {
			w.mkio.Create(endpoint(n), "Stopped")
			time.Sleep(time.Second)
		}
		w.transport.set(func(w *transport) {
			w.editRecord = func(_ string, row map[string]any) {
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
		if metric(t, b.metrics, "mkio_bridge_poll_failures_total") == 0 || !strings.Contains(w.logs.String(), "shows no state") {
			t.Error("nothing tells of it")
		}
	})
}

func TestAnAddressThatFailsHoldsUpNoOther(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		asset := func(n int) lifecycle.Key { return w.key(lifecycle.Asset, fmt.Sprintf("%03d", n)) }
		for n := range 100 {
			w.mkio.Create(asset(n), "Ready")
		}
		w.transport.set(failAt("/assets/007/state", 500))
		b := w.start(lifecycle.Asset)
		time.Sleep(2 * sweep)
		if n := b.publisher.Count(lifecycle.Asset, project); n != 99 {
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
				// it may have been found Ready before it was deleted
			case 8:
				w.wantStates(asset(n), "Ready")
			default:
				w.wantStates(asset(n), "Ready", "Deleted")
			}
		}
	})
}

// What MK.IO answers with 404 below a parent that is there is no empty list.
func TestAListBelowAParentIsBelievedWithTheParent(t *testing.T) {
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

func TestOneKindOfAListHoldsUpNoOther(t *testing.T) {
	tests := map[string]func(w *world, other lifecycle.Key){
		"a kind that may not be seen": func(w *world, other lifecycle.Key) { w.mkio.Forbid(project, other.Kind, true) },
		"a kind that nobody listed": func(w *world, other lifecycle.Key) {
			w.transport.set(func(w *transport) {
				w.editRecord = func(path string, row map[string]any) {
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

func TestAListThatIsRefusedSilencesNoOther(t *testing.T) {
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

func TestAClockThatIsAheadHidesNoChange(t *testing.T) {
	bridgetest.SkipIfShort(t)
	inWorld(t, mkiofake.Config{}, func(w *world) {
		for n := range 1500 { // more than a page, so that changes are asked for
			w.mkio.Create(w.key(lifecycle.Job, "t", fmt.Sprint(n)), "Finished")
		}
		w.transport.set(func(w *transport) { w.clockAhead = 4 * time.Minute })
		b := w.start(lifecycle.Job)
		time.Sleep(10 * time.Minute)
		job := w.key(lifecycle.Job, "t", "new")
		w.mkio.Create(job, "Queued")
		w.awaitState(b, 2*sweep, job, "Queued")
	})
}

// See TestLongAThousandThatStayPendingKeepNothingWaiting for more of them.
func TestWhatStaysPendingKeepsNothingWaiting(t *testing.T) {
	bridgetest.SkipIfShort(t)
	checkPending(t, 200)
}

// checkPending has a bridge know so many assets that stay Pending, and see others beside them soon.
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
		b := w.start(lifecycle.Asset, lifecycle.Job) // which has not seen them before
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
		w.mkio.Move(old, "Ready") // which its list shows
		w.awaitState(b, 2*sweep, old, "Ready")
	})
}

// historyOf answers for the delivery history with rows, ten a page, and counts pages and look-ups of a job.
type fakeHistory struct {
	rows           []map[string]any
	pages, lookups int
}

func (h *fakeHistory) add(at time.Time, status, job string) {
	h.rows = append(h.rows, map[string]any{
		"created": at.UTC().Format(time.RFC3339Nano), "status": status, "type": "MediaKind.JobFinished",
		"source": "/api/v1/projects/" + project + "/transforms/t/jobs/" + job,
	})
}

func (h *fakeHistory) respond(path string) (int, string) {
	if strings.HasSuffix(path, "/jobs/lost") {
		h.lookups++
	}
	path, query, _ := strings.Cut(path, "?")
	if !strings.HasSuffix(path, "/events") {
		return 0, ""
	}
	h.pages++
	from := 0
	if _, token, ok := strings.Cut(query, "skiptoken="); ok {
		from, _ = strconv.Atoi(token)
	}
	until := min(from+10, len(h.rows))
	page := map[string]any{"value": h.rows[min(from, until):until]}
	if until < len(h.rows) {
		page["@odata.nextLink"] = path + "?%24skiptoken=" + strconv.Itoa(until)
	}
	body, _ := json.Marshal(page)
	return http.StatusOK, string(body)
}

func TestAHistoryThatBeginsAnewIsRead(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.mkio.Create(w.key(lifecycle.Job, "t", "lost"), "Finished")
		h := &fakeHistory{}
		for n := range 25 {
			h.add(time.Now(), "Sent", fmt.Sprint(n))
		}
		w.transport.set(func(w *transport) { w.override = h.respond })
		w.start(lifecycle.Job)
		time.Sleep(full)
		w.transport.set(func(*transport) { h.rows = nil; h.add(time.Now(), "Failed", "lost") }) // the rule was deleted and made again
		time.Sleep(full)
		w.transport.set(func(*transport) {
			if h.lookups != 1 {
				t.Errorf("%d look-ups", h.lookups)
			}
		})
	})
}

func TestADeliveryThatStaysPendingIsSettledSomeTime(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.mkio.Create(w.key(lifecycle.Job, "t", "lost"), "Finished")
		h := &fakeHistory{}
		began := time.Now()
		h.add(began, "Pending", "lost")
		for n := range 500 {
			h.add(began, "Sent", fmt.Sprint(n))
		}
		w.transport.set(func(w *transport) { w.override = h.respond })
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
