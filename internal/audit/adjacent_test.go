package audit_test

import (
	"testing"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/event"
)

// Whoever adds up what adjacent periods found has each sweep once: the one that begins where they meet, and the one that is
// under way there.
func TestAdjacentPeriodsShareNoSweep(t *testing.T) {
	records := []event.Coverage{swept(0), swept(60), swept(120), swept(180)}
	for name, meet := range map[string]int{"a sweep begins there": 120, "a sweep ends there": 61, "between two": 90} {
		before, after := audit.Cover(records, at(0), at(meet), at(200)), audit.Cover(records, at(meet), at(190), at(200))
		if sweeps, found := before.Sweeps+after.Sweeps, before.Differed+after.Differed; sweeps != 4 || found != 8 {
			t.Errorf("%s: %d and %d sweeps, which found %d", name, before.Sweeps, after.Sweeps, found)
		}
	}
}
