package eventlog_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/durations"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

func TestStuckState(t *testing.T) {
	f := setUp(t)
	for i := range durations.MinSamples {
		name := fmt.Sprint("ep-", i)
		f.record(lifecycle.Job, "vod", "Processing", "ladder", name) // each event is a minute after the one before it
		f.record(lifecycle.Job, "vod", "Finished", "ladder", name)
	}
	f.record(lifecycle.Job, "vod", "Processing", "ladder", "slow")     // 21
	f.record(lifecycle.Job, "live", "Processing", "ladder", "slow")    // 22
	f.record(lifecycle.LiveChannel, "live", "Starting", "news")        // 23
	f.record(lifecycle.LiveChannel, "live", "Running", "sport")        // 24
	f.record(lifecycle.Asset, "live", "Pending", "waits for an input") // 25
	if err := f.publisher.Load(t.Context()); err != nil {              // waits for the server to fill the state bucket
		t.Fatal(err)
	}
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	for _, tt := range []struct {
		query eventlog.Query
		now   time.Time
		want  string
	}{
		{eventlog.Query{}, at(23), ""},
		{eventlog.Query{}, at(27), "21 22"},
		{eventlog.Query{Projects: []string{"vod"}}, at(27), "21"},
		{eventlog.Query{Kinds: []lifecycle.Kind{lifecycle.LiveChannel}}, at(27), ""},
		{eventlog.Query{}, at(23 + 61), "21 22 23"},
		{eventlog.Query{Phases: []lifecycle.Phase{lifecycle.Transitional}, Name: "news"}, at(23 + 61), "23"},
		{eventlog.Query{States: []string{"Stopping"}}, at(23 + 61), ""},
	} {
		var got []string
		for e, err := range f.log.StuckState(t.Context(), tt.query, tt.now) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(e.Sequence))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%+v, %s after noon: stuck are %s, want %s", tt.query, tt.now.Sub(noon), got, tt.want)
		}
	}
}
