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
type way struct {
	mu      sync.Mutex
	to      http.RoundTripper
	token   string                                      // that bridges have for it
	instead func(path string) (status int, body string) // 0: MK.IO answers
	spoil   func(path string, row map[string]any)       // a record, on a list or by itself
	page    func(path string, top map[string]any)       // a whole answer
	ahead   time.Duration                               // of the clock in answers
	takes   time.Duration                               // each answer
}

// given is the token as it is now.
func (w *way) given() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.token
}

func (w *way) set(change func(w *way)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}

func (w *way) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	takes := w.takes
	w.mu.Unlock()
	time.Sleep(takes)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.instead != nil {
		if status, body := w.instead(r.URL.RequestURI()); status != 0 {
			return &http.Response{
				StatusCode: status, Header: http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}},
				Body: io.NopCloser(strings.NewReader(body)), Request: r,
			}, nil
		}
	}
	answer, err := w.to.RoundTrip(r)
	if err != nil {
		return answer, err
	}
	if date, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		answer.Header.Set("Date", date.Add(w.ahead).Format(http.TimeFormat))
	}
	if w.spoil != nil || w.page != nil {
		w.rewrite(r.URL.Path, answer)
	}
	return answer, nil
}

// rewrite spoils the records of an answer.
func (w *way) rewrite(path string, answer *http.Response) {
	body, _ := io.ReadAll(answer.Body)
	var top map[string]any
	if json.Unmarshal(body, &top) == nil {
		rows, ok := top["value"].([]any)
		if !ok {
			rows = []any{top}
		}
		for _, row := range rows {
			if w.spoil != nil {
				w.spoil(path, row.(map[string]any))
			}
		}
		if w.page != nil {
			w.page(path, top)
		}
		body, _ = json.Marshal(top)
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	answer.ContentLength = int64(len(body))
}

// failAt has MK.IO answer with an error at addresses with some part.
func failAt(part string, status int) func(*way) {
	return func(w *way) {
		w.instead = func(path string) (int, string) {
			if strings.Contains(path, part) {
				return status, fmt.Sprintf(`{"error":{"code":"x","detail":"y"},"status":%d}`, status)
			}
			return 0, ""
		}
	}
}

// recordedWithin waits until the log has a resource in a state.
func (w *world) recordedWithin(b *bridge, most time.Duration, key lifecycle.Key, state string) {
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
		w.way.set(func(w *way) {
			w.spoil = func(_ string, row map[string]any) {
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
		w.want(endpoint(0), "Stopped", "Deleted")
		w.want(endpoint(1))
		w.want(endpoint(2), "Stopped", "Running")
		w.want(endpoint(3), "Stopped")
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
		w.way.set(failAt("/assets/007/state", 500))
		b := w.start(lifecycle.Asset)
		time.Sleep(2 * sweep)
		if n := b.publisher.Count(lifecycle.Asset, project); n != 99 {
			t.Errorf("%d of 99 assets are recorded", n)
		}
		w.way.set(failAt("/assets/008", 500))
		for n := range 20 {
			w.mkio.Delete(asset(n))
		}
		time.Sleep(2 * full)
		for n := range 20 {
			switch n {
			case 7:
				// it may have been found Ready before it was deleted
			case 8:
				w.want(asset(n), "Ready")
			default:
				w.want(asset(n), "Ready", "Deleted")
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
			w.way.set(failAt(part, 404))
			time.Sleep(2 * full)
			w.want(operation, "Accepted")
		}
	})
}

func TestOneKindOfAListHoldsUpNoOther(t *testing.T) {
	tests := map[string]func(w *world, other lifecycle.Key){
		"a kind that may not be seen": func(w *world, other lifecycle.Key) { w.mkio.Forbid(project, other.Kind, true) },
		"a kind that nobody listed": func(w *world, other lifecycle.Key) {
			w.way.set(func(w *way) {
				w.spoil = func(path string, row map[string]any) {
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
				w.want(channel, "Running", "Deleted")
				w.want(other, "Running")
			})
		})
	}
}

func TestAListThatIsRefusedSilencesNoOther(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		job := w.key(lifecycle.Job, "t", "ep")
		w.mkio.Create(job, "Queued")
		w.way.set(failAt("/live/search", 401))
		b := w.start(lifecycle.Job, lifecycle.LiveChannel)
		time.Sleep(full)
		w.mkio.Move(job, "Processing")
		w.recordedWithin(b, 2*active, job, "Processing")
	})
}

func TestAClockThatIsAheadHidesNoChange(t *testing.T) {
	bridgetest.SkipIfShort(t)
	inWorld(t, mkiofake.Config{}, func(w *world) {
		for n := range 1500 { // more than a page, so that changes are asked for
			w.mkio.Create(w.key(lifecycle.Job, "t", fmt.Sprint(n)), "Finished")
		}
		w.way.set(func(w *way) { w.ahead = 4 * time.Minute })
		b := w.start(lifecycle.Job)
		time.Sleep(10 * time.Minute)
		job := w.key(lifecycle.Job, "t", "new")
		w.mkio.Create(job, "Queued")
		w.recordedWithin(b, 2*sweep, job, "Queued")
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
		w.recordedWithin(b, 2*sweep, fresh, "Pending")
		w.mkio.Move(fresh, "Ready")
		w.recordedWithin(b, 2*active, fresh, "Ready")
		old := w.key(lifecycle.Asset, "old-0007")
		w.mkio.Move(old, "Ready") // which its list shows
		w.recordedWithin(b, 2*sweep, old, "Ready")
	})
}

// historyOf answers for the delivery history with rows, ten a page, and counts pages and look-ups of a job.
type historyOf struct {
	rows           []map[string]any
	pages, lookups int
}

func (h *historyOf) add(at time.Time, status, job string) {
	h.rows = append(h.rows, map[string]any{
		"created": at.UTC().Format(time.RFC3339Nano), "status": status, "type": "MediaKind.JobFinished",
		"source": "/api/v1/projects/" + project + "/transforms/t/jobs/" + job,
	})
}

func (h *historyOf) answer(path string) (int, string) {
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
		h := &historyOf{}
		for n := range 25 {
			h.add(time.Now(), "Sent", fmt.Sprint(n))
		}
		w.way.set(func(w *way) { w.instead = h.answer })
		w.start(lifecycle.Job)
		time.Sleep(full)
		w.way.set(func(*way) { h.rows = nil; h.add(time.Now(), "Failed", "lost") }) // the rule was deleted and made again
		time.Sleep(full)
		w.way.set(func(*way) {
			if h.lookups != 1 {
				t.Errorf("%d look-ups", h.lookups)
			}
		})
	})
}

func TestADeliveryThatStaysPendingIsSettledSomeTime(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.mkio.Create(w.key(lifecycle.Job, "t", "lost"), "Finished")
		h := &historyOf{}
		began := time.Now()
		h.add(began, "Pending", "lost")
		for n := range 500 {
			h.add(began, "Sent", fmt.Sprint(n))
		}
		w.way.set(func(w *way) { w.instead = h.answer })
		w.start(lifecycle.Job)
		time.Sleep(2 * full)
		w.way.set(func(*way) { h.pages = 0 })
		time.Sleep(full)
		w.way.set(func(*way) {
			if h.pages > 100 || h.lookups != 1 {
				t.Errorf("%d pages in an hour, %d look-ups", h.pages, h.lookups)
			}
		})
	})
}
