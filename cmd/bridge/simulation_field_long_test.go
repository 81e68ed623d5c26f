//go:build e2e

package main

import (
	"testing"
	"time"
)

// TestSoakAWeekOfFieldFaults runs a week with all faults that were observed in the field, some while the bridge restarts,
// some overlapping.
func TestSoakAWeekOfFieldFaults(t *testing.T) {
	const day = 24 * time.Hour
	testField(t, 7*day, []episode{
		{"a stale cache", 12 * time.Hour, staleCache},
		{"a lagging replica", day + 10*time.Hour, laggingReplica},
		{"a clock set back", 2*day + 9*time.Hour, clockSet(-2*time.Hour, true)},
		{"a stale cache on a clock that was set back", 2*day + 20*time.Hour, staleCache},
		{"an outage of 404", 3*day + 8*time.Hour, func(f *fieldTest) { f.outage(8*time.Minute, false) }},
		{"an outage of 404 with empty lists", 3*day + 16*time.Hour, func(f *fieldTest) { f.outage(8*time.Minute, true) }},
		{"the token of another organisation", 4*day + 11*time.Hour, foreignToken},
		{"a clock set forward", 5*day + 10*time.Hour, clockSet(3*time.Hour, true)},
		{"an outage of 404 behind a cache", 5*day + 18*time.Hour, func(f *fieldTest) {
			faults := f.faults
			faults.Cached, faults.CachedBy = 0.5, 10*time.Minute
			f.fake.SetFaults(faults)
			f.outage(8*time.Minute, true)
			time.Sleep(15 * time.Minute)
			f.fake.SetFaults(f.faults)
		}},
		{"a clock set back while the bridge runs", 6*day + 6*time.Hour, clockSet(-4*time.Hour, false)},
		{"a lagging replica again", 6*day + 10*time.Hour, laggingReplica},
	}, (*fieldTest).recreateProject)
}
