package poll

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/mkio"
)

// historyPages is an MK.IO with a delivery history, in pages of ten rows.
type historyPages struct {
	rows        []map[string]string // in the order of their creation
	newestFirst bool
	noRule      bool // there is none, and so no history
	requests    int
}

func (h *historyPages) add(status string, at time.Time) {
	h.rows = append(h.rows, map[string]string{
		"created": at.UTC().Format(time.RFC3339Nano), "status": status, "type": "MediaKind.JobFinished",
		"source": "/api/v1/projects/vod/transforms/t/jobs/" + strconv.Itoa(len(h.rows)),
	})
}

func (h *historyPages) RoundTrip(r *http.Request) (*http.Response, error) {
	h.requests++
	header := http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}
	if h.noRule {
		body := io.NopCloser(strings.NewReader(`{"error": {"code": "x", "detail": "y"}, "status": 404}`))
		return &http.Response{StatusCode: http.StatusNotFound, Header: header, Body: body, Request: r}, nil
	}
	rows := append([]map[string]string{}, h.rows...)
	if h.newestFirst {
		slices.Reverse(rows)
	}
	from, _ := strconv.Atoi(r.URL.Query().Get("$skiptoken"))
	until := min(from+10, len(rows))
	page := map[string]any{"value": rows[min(from, until):until]}
	if until < len(rows) {
		page["@odata.nextLink"] = r.URL.Path + "?%24skiptoken=" + strconv.Itoa(until)
	}
	body, err := json.Marshal(page)
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(strings.NewReader(string(body))), Request: r}, err
}

// forgetful is a bucket that stores nothing.
type forgetful struct{ jetstream.KeyValue }

func (forgetful) Put(context.Context, string, []byte) (uint64, error) { return 0, nil }

// reader returns a reader of the history, as after a start of the bridge with a stored cursor (zero: none).
func (h *historyPages) reader(t *testing.T, cursor time.Time) *deliveryHistory {
	t.Helper()
	client, err := mkio.NewClient(mkio.ClientConfig{BaseURL: "https://app.mk.io", Token: func() string { return "any" }, PerMinute: 1000, Transport: h})
	if err != nil {
		t.Fatal(err)
	}
	s := newScope(New(Config{Client: client, Sweep: time.Minute, Full: time.Hour, Logger: slog.New(slog.DiscardHandler)}), "vod")
	reader := newDeliveryHistory(s, "mkio-bridge", forgetful{}, newRecheckQueue(s))
	reader.cursor, reader.cursorLoaded = cursor, true
	return reader
}

// day reads the history, and returns what is published of the last day.
func (h *historyPages) day(t *testing.T, reader *deliveryHistory) event.LeaderDay {
	t.Helper()
	if err := reader.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	reader.standing.mu.Lock()
	defer reader.standing.mu.Unlock()
	if d := reader.standing.leader.Deliveries; d != nil && d.Day != nil {
		return *d.Day
	}
	t.Fatal("nothing is published")
	return event.LeaderDay{}
}

// Each delivery of the last day is counted once, with its last status, however often its row is read.
func TestDeliveriesOfTheLastDay(t *testing.T) {
	for _, newestFirst := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := &historyPages{newestFirst: newestFirst}
			start := time.Now()
			for hours := 27; hours > 1; hours-- { // three of them are too old
				h.add("Sent", start.Add(time.Minute-time.Duration(hours)*time.Hour))
			}
			h.add("Failed", start.Add(-30*time.Minute))
			h.add("Retrying", start.Add(-time.Minute))
			h.add("Pending", start.Add(-time.Minute))
			reader := h.reader(t, time.Time{})
			want := func(ago time.Duration, n event.LeaderCount) {
				t.Helper()
				for range 2 {
					if got := h.day(t, reader); got.LeaderCount != n || time.Since(got.Since).Round(time.Minute) != ago {
						t.Errorf("newest first %t: %+v, want %+v since %s", newestFirst, got, n, ago)
					}
				}
			}
			want(24*time.Hour, event.LeaderCount{Sent: 23, Failed: 1, Retrying: 1, Pending: 1})
			h.rows[len(h.rows)-2]["status"], h.rows[len(h.rows)-1]["status"] = "Failed", "Sent"
			time.Sleep(2 * time.Minute)
			h.add("Sent", time.Now())
			want(24*time.Hour, event.LeaderCount{Sent: 24, Failed: 2})
			time.Sleep(23 * time.Hour)
			h.add("Sent", time.Now())
			want(24*time.Hour, event.LeaderCount{Sent: 3, Failed: 2})
		})
	}
}

// A bridge that takes over where MK.IO puts the newest rows first does not read those that are settled: it counts since the oldest
// that it has read.
func TestDeliveriesSinceTheOldestRowThatWasRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &historyPages{newestFirst: true}
		for minutes := 24 * 60; minutes > 0; minutes -= 5 {
			h.add("Sent", time.Now().Add(-time.Duration(minutes)*time.Minute))
		}
		reader := h.reader(t, time.Now().Add(-time.Hour))
		got := h.day(t, reader)
		if h.requests != 2 || got.Sent != 20 || time.Since(got.Since).Round(time.Minute) != 100*time.Minute {
			t.Errorf("%d requests, %+v", h.requests, got)
		}
		time.Sleep(time.Minute)
		if again := h.day(t, reader); again != got {
			t.Errorf("a minute later %+v, before %+v", again, got)
		}
	})
}

// A bridge that does not register the rule knows from its history whether there is one.
func TestHistoryTellsWhetherThereIsARule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, managed := range []bool{false, true} {
			h := &historyPages{}
			reader := h.reader(t, time.Time{})
			read := (&project{scope: reader.scope}).historyTask(reader, managed)
			for _, h.noRule = range []bool{false, true} {
				if err := read(t.Context()); (err != nil) != h.noRule {
					t.Fatal(err)
				}
				want := map[bool]event.RuleState{false: event.RuleExists, true: event.RuleMissing}[h.noRule]
				switch r := reader.standing.leader.Rule; {
				case managed && r != nil:
					t.Errorf("published without a reconciliation: %+v", r)
				case !managed && (r == nil || r.State != want || r.Managed || r.Rule != "mkio-bridge" || !r.At.Equal(time.Now().Truncate(time.Millisecond))):
					t.Errorf("no rule %t: %+v", h.noRule, r)
				}
			}
		}
	})
}
