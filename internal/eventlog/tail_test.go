package eventlog_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// tailOf returns the sequences of the last n events that match a query.
func (f *fixture) tailOf(ctx context.Context, q eventlog.Query, n uint, each func(sequence uint64)) string {
	f.t.Helper()
	var found []string
	for e, err := range f.log.Tail(ctx, q, n) {
		if err != nil {
			f.t.Fatal(err)
		}
		found = append(found, fmt.Sprint(e.Sequence))
		if each != nil {
			each(e.Sequence)
		}
	}
	return strings.Join(found, " ")
}

func TestTail(t *testing.T) {
	f := setUp(t)
	if got := f.tailOf(t.Context(), eventlog.Query{}, 5, nil); got != "" {
		t.Errorf("an empty log has %s", got)
	}
	f.record(lifecycle.Asset, "vod", "Pending", "first") // 1
	f.record(lifecycle.Asset, "vod", "Ready", "first")   // 2
	for range 20 {
		f.record(lifecycle.Job, "vod", "Processing", "t", fmt.Sprint("j", f.n)) // 3 to 22
	}
	assets := eventlog.Query{Kinds: []lifecycle.Kind{lifecycle.Asset}}
	far := time.Now().Add(time.Hour)
	for _, tt := range []struct {
		q    eventlog.Query
		n    uint
		want string
	}{
		{eventlog.Query{}, 3, "20 21 22"},
		{eventlog.Query{To: 10}, 2, "9 10"},
		{eventlog.Query{From: 22}, 2, "22"},
		{eventlog.Query{From: 23}, 2, ""},
		{assets, 1, "2"},
		{assets, 2, "1 2"},
		{assets, 9, "1 2"},
		{eventlog.Query{Kinds: []lifecycle.Kind{lifecycle.Asset}, States: []string{"pending"}}, 1, "1"},
		{eventlog.Query{Kinds: []lifecycle.Kind{lifecycle.Asset}, Phases: []lifecycle.Phase{lifecycle.Ready}}, 1, "2"},
		{eventlog.Query{Since: noon.AddDate(-50, 0, 0), Kinds: []lifecycle.Kind{lifecycle.Asset}}, 1, "2"},
		{eventlog.Query{Since: far}, 2, ""},
		{eventlog.Query{Until: far}, 2, "21 22"},
		{eventlog.Query{By: eventlog.ByTime, Until: noon.Add(90 * time.Second)}, 2, "1"},
	} {
		if got := f.tailOf(t.Context(), tt.q, tt.n, nil); got != tt.want {
			t.Errorf("the last %d of %+v are %s, want %s", tt.n, tt.q, got, tt.want)
		}
	}
	brokertest.TrimToLast(t, f.js, names.EventStream(), 5) // 18 to 22
	if got := f.tailOf(t.Context(), assets, 1, nil); got != "" {
		t.Errorf("assets that have aged out: %s", got)
	}
	if got := f.tailOf(t.Context(), eventlog.Query{}, 9, nil); got != "18 19 20 21 22" {
		t.Errorf("a trimmed log has %s", got)
	}
}

// A follower gets each event once, also one that is recorded while the end of the log is read.
func TestTailFollows(t *testing.T) {
	f := setUp(t)
	f.record(lifecycle.Asset, "vod", "Pending", "a")
	f.record(lifecycle.Asset, "vod", "Ready", "a")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got := f.tailOf(ctx, eventlog.Query{Follow: true}, 1, func(sequence uint64) {
		switch sequence {
		case 2:
			f.record(lifecycle.Asset, "vod", "Pending", "b")
		case 3:
			f.record(lifecycle.Asset, "vod", "Ready", "b")
		case 4:
			cancel()
		}
	})
	if got != "2 3 4" {
		t.Errorf("followed are %s", got)
	}
}

func TestKeys(t *testing.T) {
	f := setUp(t)
	keys := func(q eventlog.Query) string {
		var found []string
		for key, err := range f.log.Keys(t.Context(), q) {
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, key.String())
		}
		return strings.Join(found, ", ")
	}
	f.record(lifecycle.Job, "vod", "Queued", "t.1", "j ö")
	f.record(lifecycle.Job, "vod", "Processing", "t.1", "j ö")
	f.record(lifecycle.Asset, "vod", "", "a")
	f.record(lifecycle.Asset, "other", "Ready", strings.Repeat("x", 1000)) // truncated in subjects
	if err := f.publisher.Load(t.Context()); err != nil {                  // waits for the server to fill the state bucket
		t.Fatal(err)
	}
	for _, tt := range []struct {
		q    eventlog.Query
		want string
	}{
		{eventlog.Query{}, "job vod/t.1/j ö, asset vod/a"},
		{eventlog.Query{Kinds: []lifecycle.Kind{lifecycle.Job}}, "job vod/t.1/j ö"},
		{eventlog.Query{Projects: []string{"vod"}, Name: "a"}, "asset vod/a"},
		{eventlog.Query{Projects: []string{"other"}}, ""},
	} {
		if got := keys(tt.q); got != tt.want {
			t.Errorf("%+v: keys are %s, want %s", tt.q, got, tt.want)
		}
	}
}

// Each page of last events ends at the first limit. All together they have each event that matches once.
func TestLastPages(t *testing.T) {
	f := setUp(t)
	f.record(lifecycle.Asset, "vod", "Pending", "a") // 1
	f.record(lifecycle.Asset, "vod", "Ready", "a")   // 2
	for range 40 {
		f.record(lifecycle.Job, "vod", "Processing", "t", fmt.Sprint("j", f.n)) // 3 to 42
	}
	f.record(lifecycle.Asset, "vod", "Ready", "b") // 43
	const mib = 1 << 20
	ready := []lifecycle.Phase{lifecycle.Ready}
	for _, tt := range []struct {
		q      eventlog.Query
		limits eventlog.PageLimits
		want   string
	}{
		{eventlog.Query{From: 40}, eventlog.PageLimits{Events: 3, Bytes: mib, Compared: 100}, "41 42 43|40"},
		{eventlog.Query{From: 40}, eventlog.PageLimits{Events: 2, Bytes: mib, Compared: 100}, "42 43|40 41"},
		{eventlog.Query{From: 42}, eventlog.PageLimits{Events: 9, Bytes: 1, Compared: 100}, "43|42"},
		{eventlog.Query{Kinds: []lifecycle.Kind{lifecycle.Asset}}, eventlog.PageLimits{Events: 2, Bytes: mib, Compared: 100}, "2 43|1"},
		{eventlog.Query{Kinds: []lifecycle.Kind{lifecycle.Asset}}, eventlog.PageLimits{Events: 9, Bytes: 1, Compared: 100}, "43|2|1"},
		{eventlog.Query{Phases: ready}, eventlog.PageLimits{Events: 1, Bytes: mib, Compared: 100}, "43|2"},
		{eventlog.Query{Phases: ready}, eventlog.PageLimits{Events: 9, Bytes: mib, Compared: 20}, "43|2"},
		{eventlog.Query{Phases: ready, To: 42}, eventlog.PageLimits{Events: 9, Bytes: mib, Compared: 16}, "||2"},
		{eventlog.Query{Phases: ready, To: 42}, eventlog.PageLimits{Events: 9, Bytes: mib, Compared: 100}, "2"},
		{eventlog.Query{To: 42, Vias: []lifecycle.Via{lifecycle.Poll}}, eventlog.PageLimits{Events: 1, Bytes: mib, Compared: 100}, ""},
	} {
		if got := strings.Join(f.lastPages(tt.q, tt.limits), "|"); got != tt.want {
			t.Errorf("%+v, %+v: %s, want %s", tt.q, tt.limits, got, tt.want)
		}
	}
}

// lastPages returns the sequences of each page, the last page first.
func (f *fixture) lastPages(q eventlog.Query, limits eventlog.PageLimits) (pages []string) {
	f.t.Helper()
	bounds, err := f.log.Bounds(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	for {
		page, err := f.log.LastPage(f.t.Context(), q, bounds, limits)
		if err != nil || len(pages) > 50 {
			f.t.Fatal(err, pages)
		}
		var found []string
		for _, e := range page.Events {
			found = append(found, fmt.Sprint(e.Sequence))
		}
		pages = append(pages, strings.Join(found, " "))
		if page.Before == 0 {
			return pages
		}
		q.To = page.Before - 1
	}
}
