package poll

import (
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
)

func TestCheapestStrategy(t *testing.T) {
	tests := []struct {
		name                       string
		due, moving, states, known int
		byState                    bool
		want                       strategy
	}{
		{"one of a few", 1, 1, 1, 10, true, oneByOne},
		{"one of many", 1, 1, 1, 100_000, true, oneByOne},
		{"two states of a few", 2, 2, 2, 10, true, wholeList},
		{"many in a short list", 200, 200, 3, 900, true, wholeList},
		{"many in a long list", 200, 200, 3, 10_000, true, byState},
		{"many without filters by state", 50, 50, 0, 10_000, false, wholeList},
		{"a few without filters by state", 5, 5, 0, 10_000, false, oneByOne},
		{"a few that are due of many pages", 5, 9_000, 3, 10_000, true, oneByOne},
		{"states with as many pages as the list", 9_000, 9_000, 3, 9_000, true, wholeList},
	}
	for _, tt := range tests {
		if got := cheapestStrategy(tt.due, tt.moving, tt.states, tt.known, tt.byState); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestPendingResourcesArePolledLessAndLess(t *testing.T) {
	p := intervals{active: 5 * time.Second, sweep: time.Minute, full: time.Hour, perMinute: 1000}
	before := time.Duration(0)
	for _, age := range []time.Duration{0, 30 * time.Second, 2 * time.Minute, time.Hour, 24 * time.Hour} {
		got := p.interval(lifecycle.Asset, "Pending", age)
		if got < before || got < p.active || got > p.full {
			t.Errorf("after %s: %s", age, got)
		}
		before = got
	}
	if before < 10*time.Minute {
		t.Errorf("an asset that has been Pending for a day is polled every %s", before)
	}
	for _, age := range []time.Duration{0, 24 * time.Hour} {
		if got := p.interval(lifecycle.Job, "Queued", age); got != p.active {
			t.Errorf("a job is polled every %s", got)
		}
		if got := p.interval(lifecycle.StreamingEndpoint, "Starting", age); got != p.active {
			t.Errorf("a starting endpoint is polled every %s", got)
		}
	}
}

func TestOneByOneTakesHalfOfTheBudget(t *testing.T) {
	p := intervals{active: 5 * time.Second, perMinute: 1000}
	for _, count := range []int{1, 10, 100, 1000, 10_000} {
		perMinute := float64(count) / p.stretchToBudget(p.active, count).Minutes()
		if perMinute > 500 {
			t.Errorf("%d resources take %.0f requests a minute", count, perMinute)
		}
	}
}

func TestBackoffGrows(t *testing.T) {
	before := time.Duration(0)
	for failures := 1; failures < 100; failures++ {
		got := backoff(failures)
		if got < before || got > maxBackoff {
			t.Fatalf("after %d failures: %s", failures, got)
		}
		before = got
	}
	if before != maxBackoff {
		t.Errorf("the longest is %s", before)
	}
}
