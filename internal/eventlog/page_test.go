package eventlog_test

import (
	"fmt"
	"strings"
	"testing"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// pageOf returns the sequences of a page, and of the next one.
func (f *fixture) pageOf(q eventlog.Query, limits eventlog.PageLimits) string {
	f.t.Helper()
	p, err := f.log.Page(f.t.Context(), q, limits)
	if err != nil {
		f.t.Fatal(err)
	}
	var found []string
	for _, e := range p.Events {
		found = append(found, fmt.Sprint(e.Sequence))
	}
	return strings.Join(found, " ") + ", " + fmt.Sprint(p.Next)
}

func TestPage(t *testing.T) {
	f := setUp(t)
	many := eventlog.PageLimits{Events: 100, Bytes: 1 << 20, Compared: 100}
	if got := f.pageOf(eventlog.Query{}, many); got != ", 0" {
		t.Errorf("an empty log has %s", got)
	}
	f.record(lifecycle.Asset, "vod", "Pending", "a")              // 1
	job := f.record(lifecycle.Job, "vod", "Processing", "t", "j") // 2
	f.record(lifecycle.Asset, "vod", "Ready", "a")                // 3
	f.record(lifecycle.Asset, "vod", "Pending", "b")              // 4
	f.record(lifecycle.Job, "vod", "Finished", "t", "j")          // 5
	f.record(lifecycle.Asset, "vod", "Ready", "b")                // 6
	ready := eventlog.Query{Phases: []lifecycle.Phase{lifecycle.Ready}}
	for _, tt := range []struct {
		q      eventlog.Query
		limits eventlog.PageLimits
		want   string
	}{
		{eventlog.Query{}, many, "1 2 3 4 5 6, 0"},
		{eventlog.Query{}, eventlog.PageLimits{Events: 6, Bytes: 1 << 20, Compared: 100}, "1 2 3 4 5 6, 0"},
		{eventlog.Query{}, eventlog.PageLimits{Events: 4, Bytes: 1 << 20, Compared: 100}, "1 2 3 4, 5"},
		{eventlog.Query{From: 5}, many, "5 6, 0"},
		{eventlog.Query{To: 2}, many, "1 2, 0"},
		{eventlog.Query{Resource: &job}, eventlog.PageLimits{Events: 1, Bytes: 1 << 20, Compared: 100}, "2, 5"},
		{eventlog.Query{Resource: &job, From: 5}, eventlog.PageLimits{Events: 1, Bytes: 1 << 20, Compared: 100}, "5, 0"},
		{eventlog.Query{}, eventlog.PageLimits{Events: 100, Bytes: 1, Compared: 100}, "1, 2"},
		{ready, eventlog.PageLimits{Events: 1, Bytes: 1 << 20, Compared: 100}, "3, 6"},
		{ready, eventlog.PageLimits{Events: 100, Bytes: 1 << 20, Compared: 2}, ", 3"},
		{eventlog.Query{Phases: []lifecycle.Phase{lifecycle.Ready}, From: 3}, eventlog.PageLimits{Events: 100, Bytes: 1 << 20, Compared: 2}, "3, 5"},
	} {
		if got := f.pageOf(tt.q, tt.limits); got != tt.want {
			t.Errorf("a page of %+v with %+v is %q, want %q", tt.q, tt.limits, got, tt.want)
		}
	}
}

func TestParseResource(t *testing.T) {
	for given, want := range map[string]string{
		"job/aurora-vod/ladder-hd/ep-0417": "job aurora-vod/ladder-hd/ep-0417",
		"asset/vod/a%2Fb%25":               "asset vod/a/b%",
	} {
		if key, err := eventlog.ParseResource(given); err != nil || key.String() != want {
			t.Errorf("%s is %s, %v", given, key, err)
		}
	}
	for _, given := range []string{"", "job", "job/aurora-vod", "job/aurora-vod/ep-0417", "job/a/b/c/d", "asset/vod/", "asset//a", "cassette/vod/a", "asset/vod/%zz"} {
		if key, err := eventlog.ParseResource(given); err == nil {
			t.Errorf("%q is %s", given, key)
		}
	}
}
