package eventlog_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// states fills a log with five events, a minute apart by their own time.
func (f *fixture) states() {
	f.t.Helper()
	f.record(lifecycle.Job, "vod", "Queued", "ladder", "a")     // 1, 12:01
	f.record(lifecycle.Job, "vod", "Processing", "ladder", "a") // 2, 12:02
	f.record(lifecycle.Asset, "vod", "Ready", "x")              // 3, 12:03
	f.record(lifecycle.Job, "vod", "Finished", "ladder", "a")   // 4, 12:04
	f.record(lifecycle.LiveChannel, "live", "Running", "news")  // 5, 12:05
}

// storedAt returns when the log stored an event.
func (f *fixture) storedAt(sequence uint64) time.Time {
	f.t.Helper()
	for r, err := range f.log.Raw(f.t.Context(), eventlog.Query{From: sequence, To: sequence}) {
		if err != nil {
			f.t.Fatal(err)
		}
		return r.Stored
	}
	f.t.Fatalf("the log has no event %d", sequence)
	return time.Time{}
}

func TestAdjacentPeriodsShareNoEvent(t *testing.T) {
	f := setUp(t)
	f.states()
	at := func(minute int) time.Time { return noon.Add(time.Duration(minute) * time.Minute) }
	third := f.storedAt(3)
	for _, tt := range []struct {
		name  string
		query eventlog.Query
		want  string
	}{
		{"until the third is stored", eventlog.Query{Until: third}, "1 2"},
		{"since the third is stored", eventlog.Query{Since: third}, "3 4 5"},
		{"the same, named", eventlog.Query{Since: third, By: eventlog.ByRecorded}, "3 4 5"},
		{"from a sequence that is stored before the period", eventlog.Query{From: 2, Since: third}, "3 4 5"},
		{"followed to an end that is past", eventlog.Query{Until: third, Follow: true}, "1 2"},
		{"of a kind, until", eventlog.Query{Kinds: []lifecycle.Kind{lifecycle.Asset}, Until: third}, ""},
		{"an empty period", eventlog.Query{Since: third, Until: third}, ""},
		{"by time, until", eventlog.Query{Until: at(3), By: eventlog.ByTime}, "1 2"},
		{"by time, since", eventlog.Query{Since: at(3), By: eventlog.ByTime}, "3 4 5"},
		{"by time, a period", eventlog.Query{Since: at(2), Until: at(4), By: eventlog.ByTime}, "2 3"},
		{"by time, from a sequence", eventlog.Query{From: 3, Since: at(2), Until: at(4), By: eventlog.ByTime}, "3"},
		{"by time, without a period", eventlog.Query{By: eventlog.ByTime}, "1 2 3 4 5"},
		{"by the recorded time, another day", eventlog.Query{Since: at(0), Until: at(60)}, ""},
	} {
		if got := f.events(tt.query); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestByTimeFindsEventsOutOfTimeOrder(t *testing.T) {
	f := setUp(t)
	f.n = 10
	f.record(lifecycle.Asset, "vod", "Ready", "late") // 1, 12:11
	f.n = 0
	f.record(lifecycle.Asset, "vod", "Ready", "early") // 2, 12:01
	f.n = 10
	f.record(lifecycle.Asset, "vod", "Ready", "later") // 3, 12:11
	if got := f.events(eventlog.Query{Until: noon.Add(5 * time.Minute), By: eventlog.ByTime}); got != "2" {
		t.Errorf("the events of the first minutes are %q, want 2", got)
	}
}

func TestUnappliedDeliveriesOfAdjacentPeriods(t *testing.T) {
	f := setUp(t)
	for _, name := range []string{"a", "b", "c"} {
		f.storeUnapplied(lifecycle.ReasonLate, lifecycle.Asset, "vod", name)
	}
	second, ok, err := f.log.UnappliedAt(t.Context(), 2)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	for want, q := range map[string]eventlog.UnappliedQuery{"1": {Until: second.Stored}, "2 3": {Since: second.Stored}} {
		var found []string
		for k, err := range f.log.QueryUnapplied(t.Context(), q) {
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, fmt.Sprint(k.Sequence))
		}
		if got := strings.Join(found, " "); got != want {
			t.Errorf("%+v: %q, want %q", q, got, want)
		}
	}
}

func TestPhases(t *testing.T) {
	f := setUp(t)
	f.states()
	if err := f.publisher.Load(t.Context()); err != nil { // waits for the server to fill the bucket
		t.Fatal(err)
	}
	for _, tt := range []struct {
		query         eventlog.Query
		events, state string
	}{
		{eventlog.Query{Phases: []lifecycle.Phase{lifecycle.Ready}}, "3 5", "3 5"},
		{eventlog.Query{Phases: []lifecycle.Phase{lifecycle.Transitional}}, "2", ""},
		{eventlog.Query{Phases: []lifecycle.Phase{lifecycle.Succeeded}}, "4", "4"},
		{eventlog.Query{Phases: []lifecycle.Phase{lifecycle.Ready}, Projects: []string{"live"}}, "5", "5"},
		{eventlog.Query{Phases: []lifecycle.Phase{lifecycle.Ready}, States: []string{"finished"}}, "", ""},
	} {
		if got := f.events(tt.query); got != tt.events {
			t.Errorf("%+v: events %q, want %q", tt.query, got, tt.events)
		}
		var found []string
		for e, err := range f.log.State(t.Context(), tt.query) {
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, fmt.Sprint(e.Sequence))
		}
		if got := strings.Join(found, " "); got != tt.state {
			t.Errorf("%+v: resources %q, want %q", tt.query, got, tt.state)
		}
	}
}

// A reader that is behind when the period ends still reads every event that was stored within it, and none after it.
func TestSlowFollowerReadsItsWholePeriod(t *testing.T) {
	defer brokertest.StartServerClock()()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t)
		f.states()
		until := time.Now().Add(time.Minute)
		var found []string
		for r, err := range f.log.Raw(t.Context(), eventlog.Query{Until: until, Follow: true}) {
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, fmt.Sprint(r.Sequence))
			if r.Sequence == 1 {
				f.record(lifecycle.Asset, "vod", "Ready", "within") // 6
				time.Sleep(2 * time.Minute)
				f.record(lifecycle.Asset, "vod", "Ready", "after") // 7
			}
		}
		if got := strings.Join(found, " "); got != "1 2 3 4 5 6" {
			t.Errorf("followed %q", got)
		}
	})
}

// A caller may buffer its output while events are pending. Events that do not match must not count as pending.
func TestPendingExcludesEventsThatDoNotMatch(t *testing.T) {
	f := setUp(t)
	f.states()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for r, err := range f.log.Raw(ctx, eventlog.Query{Phases: []lifecycle.Phase{lifecycle.Initial}, Follow: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Sequence != 1 || r.Pending != 0 {
			t.Errorf("event %d, %d pending", r.Sequence, r.Pending)
		}
		cancel()
	}
}
