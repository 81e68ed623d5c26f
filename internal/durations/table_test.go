package durations

import (
	"fmt"
	"math"
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
)

func TestUsualDurationOfAState(t *testing.T) {
	var table Table
	for i := range 100 {
		table.Add(lifecycle.Job, lifecycle.Stays(fmt.Sprintf("Queued=1.5&Processing=%d", i+1)))
	}
	got := table.Of(lifecycle.Job, "processing")
	if got.Samples != 100 || !near(got.P50, 50*time.Second) || !near(got.P95, 95*time.Second) || got.Limit != 3*got.P95 || !got.Learned {
		t.Errorf("Processing: %+v", got)
	}
	if got := table.Of(lifecycle.Job, "Queued"); got.Limit != MinLimit {
		t.Errorf("a state of seconds has the limit %s", got.Limit)
	}
	if all := table.All(); len(all) != 2 || all[0].State != "Processing" || all[1].State != "Queued" {
		t.Errorf("all states: %+v", all)
	}
	for i := range 100 {
		table.Remove(lifecycle.Job, lifecycle.Stays(fmt.Sprintf("Queued=1.5&Processing=%d", i+1)))
	}
	if all := table.All(); len(all) != 0 {
		t.Errorf("after all samples were removed: %+v", all)
	}
}

func near(got, want time.Duration) bool {
	return math.Abs(got.Seconds()/want.Seconds()-1) < 0.06
}

func TestQuantilesOfAllMagnitudes(t *testing.T) {
	for _, d := range []time.Duration{200 * time.Millisecond, time.Second, time.Minute, time.Hour, 400 * 24 * time.Hour} {
		var h Histogram
		h.Add(d, 1)
		if got := h.Quantile(0.95); !near(got, d) {
			t.Errorf("the only sample is %s, and its quantile %s", d, got)
		}
	}
	var h Histogram
	h.Add(0, 1)
	h.Add(math.MaxInt64, 1)
	if h.Quantile(0.5) != smallest || h.Quantile(1) < 800*24*time.Hour {
		t.Errorf("quantiles of extremes: %s, %s", h.Quantile(0.5), h.Quantile(1))
	}
}

func TestStuck(t *testing.T) {
	now := time.Date(2031, 3, 4, 10, 0, 0, 0, time.UTC)
	var learned, few, none Table
	for i := range MinSamples {
		learned.Add(lifecycle.Job, "Processing=60")
		learned.Add(lifecycle.ScheduledOperation, "Ongoing=3600")
		if i > 0 {
			few.Add(lifecycle.Job, "Processing=60")
		}
	}
	ago := func(state string, d time.Duration) lifecycle.Fact {
		return lifecycle.Fact{State: state, At: now.Add(-d)}
	}
	for _, tt := range []struct {
		table *Table
		kind  lifecycle.Kind
		fact  lifecycle.Fact
		want  bool
	}{
		{&learned, lifecycle.Job, ago("Processing", 4*time.Minute), true},
		{&learned, lifecycle.Job, ago("PROCESSING", 4*time.Minute), true},
		{&learned, lifecycle.Job, ago("Processing", 2*time.Minute), false},
		{&learned, lifecycle.Job, ago("Queued", 4*time.Minute), false},
		{&few, lifecycle.Job, ago("Processing", 5*time.Hour), false},
		{&few, lifecycle.Job, ago("Processing", 7*time.Hour), true},
		{&none, lifecycle.LiveChannel, ago("Starting", 2*time.Hour), true},
		{&none, lifecycle.LiveChannel, ago("Pending", 1000*time.Hour), false},
		{&none, lifecycle.LiveChannel, ago("Running", 1000*time.Hour), false},
		{&none, lifecycle.ScheduledOperation, ago("Ongoing", 1000*time.Hour), false},
		{&learned, lifecycle.ScheduledOperation, ago("Ongoing", 4*time.Hour), true},
		{&none, lifecycle.Job, lifecycle.Fact{State: "Processing"}, false},
		{&none, lifecycle.Job, lifecycle.Fact{State: "Processing", Provisioning: "Failed", At: now.Add(-8 * time.Hour)}, false},
	} {
		if got := tt.table.Stuck(tt.kind, tt.fact, now); got != tt.want {
			t.Errorf("%s %s since %s: stuck is %t", tt.kind, tt.fact.State, now.Sub(tt.fact.At), got)
		}
	}
}

// A header that another client has written cannot fill the table.
func TestForeignStaysAreIgnored(t *testing.T) {
	var table Table
	table.Add(lifecycle.Job, "Dancing=5&Finished=7&Processing=NaN")
	if all := table.All(); len(all) != 0 {
		t.Errorf("the table has %+v", all)
	}
}
