package poll_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

// A list of two pages.
const (
	pageSize       = 20
	rowsOfTwoPages = 30
)

// createJobs creates jobs for two pages of a list.
func (w *world) createJobs(state string) {
	for n := range rowsOfTwoPages {
		w.mkio.Create(w.key(lifecycle.Job, "t", fmt.Sprintf("%02d", n)), state)
	}
}

// relink changes the links to the next page.
func relink(to func(link string) any) func(*transport) {
	return func(tr *transport) {
		tr.editBody = func(_ string, top map[string]any) {
			if link, ok := top["@odata.nextLink"].(string); ok {
				top["@odata.nextLink"] = to(link)
			}
		}
	}
}

// Whatever origin the links to the next page have, the list is read to its end at the configured address.
func TestAListIsReadWhateverOriginItsLinksHave(t *testing.T) {
	for _, origin := range []string{"http://app.mk.io", "https://api.mk.io", "HTTPS://APP.MK.IO", "https://app.mk.io:443", "https://me@10.0.0.7:8443/internal", ""} {
		t.Run(origin, func(t *testing.T) {
			inWorld(t, mkiofake.Config{PageSize: pageSize}, func(w *world) {
				w.createJobs("Finished")
				w.transport.set(relink(func(link string) any { _, path, _ := strings.Cut(link, "/api/"); return origin + "/api/" + path }))
				b := w.start(lifecycle.Job)
				time.Sleep(sweep)
				if n, _ := b.publisher.Count(lifecycle.Job, project); n != rowsOfTwoPages {
					t.Errorf("%d of %d jobs are recorded", n, rowsOfTwoPages)
				}
			})
		})
	}
}

// The rows before a page that fails are recorded, and resources that are not on these pages are not treated as deleted.
func TestRowsBeforeAPageThatFailsAreRecorded(t *testing.T) {
	bridgetest.SkipIfShort(t)
	onSecondPage := func(status int) func(*transport) {
		return func(tr *transport) {
			tr.override = func(path string) (int, string) {
				if strings.Contains(path, "skiptoken=") {
					return status, `{"error":{"code":"x","detail":"y"}}`
				}
				return 0, ""
			}
		}
	}
	lost := func(tr *transport) {
		tr.editBody = func(_ string, top map[string]any) {
			if top["@odata.nextLink"] != nil {
				top["@odata.nextLink"] = "%zz"
				delete(top, "supplemental")
			}
		}
	}
	tests := map[string]func(*transport){
		"500":                     onSecondPage(http.StatusInternalServerError),
		"403":                     onSecondPage(http.StatusForbidden),
		"404":                     onSecondPage(http.StatusNotFound),
		"no list":                 onSecondPage(http.StatusOK),
		"neither link nor offset": lost,
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, mkiofake.Config{PageSize: pageSize}, func(w *world) {
				w.createJobs("Processing")
				w.transport.set(spoil)
				b := w.start(lifecycle.Job)
				time.Sleep(2 * sweep)
				if n, _ := b.publisher.Count(lifecycle.Job, project); n < pageSize {
					t.Errorf("%d jobs are recorded, want the %d of the first page", n, pageSize)
				}
				w.transport.set(func(tr *transport) { tr.override, tr.editBody = nil, nil })
				time.Sleep(full)
				w.wantConverged()
				began := time.Now()
				w.transport.set(spoil)
				time.Sleep(2 * full)
				w.wantConverged() // so there is no Deleted
				if c := w.coverageSince(lifecycle.Job, began.Add(sweep)); c.Complete() {
					t.Error("a sweep that did not reach the end counts as covered")
				}
			})
		})
	}
}

// However many rows of a page have no state, the others are recorded.
func TestManyRowsWithoutAStateBlockNoOther(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		for n := range 60 {
			w.mkio.Create(w.key(lifecycle.StreamingEndpoint, fmt.Sprintf("%02d", n)), "Running")
		}
		w.transport.set(func(tr *transport) {
			tr.editRecord = func(_ string, row map[string]any) {
				properties, ok := row["properties"].(map[string]any)
				if name, _ := row["name"].(string); ok && name < "30" {
					delete(properties, "resourceState")
				}
			}
		})
		b := w.start(lifecycle.StreamingEndpoint)
		time.Sleep(sweep)
		if n, _ := b.publisher.Count(lifecycle.StreamingEndpoint, project); n != 30 {
			t.Errorf("%d of 30 endpoints are recorded", n)
		}
	})
}

// Projects on the pages before one that fails are polled.
func TestProjectsBeforeAPageThatFailsArePolled(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		job := w.key(lifecycle.Job, "t", "ep")
		w.mkio.Create(job, "Finished")
		w.transport.set(func(tr *transport) {
			tr.override = func(path string) (int, string) {
				switch path, query, _ := strings.Cut(path, "?"); {
				case path != "/api/v1/projects":
					return 0, ""
				case strings.Contains(query, "skiptoken"):
					return http.StatusForbidden, `{}`
				}
				return http.StatusOK, fmt.Sprintf(`{"value":[{"metadata":{"name":%q},"spec":{"isActive":true}}],"@odata.nextLink":"?$skiptoken=1"}`, project)
			}
		})
		w.start(lifecycle.Job)
		time.Sleep(2 * sweep)
		w.wantStates(job, "Finished")
	})
}

// If a page of the delivery history fails, the pages before it count.
func TestAHistoryIsReadUpToAPageThatFails(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.mkio.Create(w.key(lifecycle.Job, "t", "lost"), "Finished")
		h := &fakeHistory{}
		w.transport.set(func(tr *transport) { tr.override = h.respond })
		b := w.start(lifecycle.Job)
		time.Sleep(sweep) // a concurrent sweep would cause another request for the job
		w.transport.set(func(tr *transport) {
			began := time.Now()
			h.add(began, "Failed", "lost")
			for n := range 15 {
				h.add(began, "Sent", fmt.Sprint(n))
			}
			tr.override = func(path string) (int, string) {
				if strings.Contains(path, "/events?") {
					return http.StatusInternalServerError, ""
				}
				return h.respond(path)
			}
		})
		time.Sleep(full)
		if h.lookups != 1 || metric(t, b.metrics, "mkio_bridge_history_newest_timestamp_seconds", "status", "unsent") == 0 {
			t.Errorf("%d requests for the job, and the newest delivery that failed is not exported", h.lookups)
		}
	})
}

// A failed delivery whose time cannot be parsed causes one recheck.
func TestAHistoryRowWithoutATimeIsRecheckedOnce(t *testing.T) {
	inWorld(t, mkiofake.Config{}, func(w *world) {
		w.mkio.Create(w.key(lifecycle.Job, "t", "lost"), "Finished")
		h := &fakeHistory{}
		w.transport.set(func(tr *transport) { tr.override = h.respond })
		w.start(lifecycle.Job)
		time.Sleep(sweep) // a concurrent sweep would cause another request for the job
		w.transport.set(func(*transport) {
			for n := range 25 {
				h.add(time.Now(), "Sent", fmt.Sprint(n))
			}
			h.add(time.Now(), "Failed", "lost")
			h.rows[25]["created"] = "yesterday"
		})
		time.Sleep(full)
		w.transport.set(func(*transport) {
			if h.lookups != 1 || h.pages > 100 {
				t.Errorf("%d requests for the job, %d pages", h.lookups, h.pages)
			}
		})
	})
}
