package audit_test

import (
	"testing"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/event"
)

// Adding up the coverage of adjacent periods counts each sweep once, including one that begins or runs at their boundary.
func TestAdjacentPeriodsShareNoSweep(t *testing.T) {
	records := []event.Coverage{sweepAt(0), sweepAt(60), sweepAt(120), sweepAt(180)}
	for name, meet := range map[string]int{"a sweep begins there": 120, "a sweep ends there": 61, "between two": 90} {
		before, after := audit.CoverageOf(records, at(0), at(meet), at(200)), audit.CoverageOf(records, at(meet), at(190), at(200))
		if sweeps, found := before.Sweeps+after.Sweeps, before.Differed+after.Differed; sweeps != 4 || found != 8 {
			t.Errorf("%s: %d and %d sweeps, which found %d", name, before.Sweeps, after.Sweeps, found)
		}
	}
}
