package durations

import (
	"time"

	"mkio-bridge/internal/lifecycle"
)

// When a stay is too long.
const (
	Factor     = 3           // times the 95th percentile
	MinSamples = 10          // with fewer, the kind's fixed limit holds
	MinLimit   = time.Minute // polls may see a change that late
)

// fixedLimit is how long a transient state of a kind may last where it has too few samples; 0: as long as it likes.
func fixedLimit(kind lifecycle.Kind) time.Duration {
	switch kind {
	case lifecycle.Job:
		return 6 * time.Hour
	case lifecycle.ScheduledOperation: // a maintenance window may last for days
		return 0
	default:
		return time.Hour
	}
}

// Stuck reports whether a resource is in a transient state for too long: more than [Factor] times the 95th percentile of its
// kind and state, or than a fixed time where there are too few samples. A resource whose state or provisioning is not
// transient, or that is in its state since an unknown time, is not stuck.
func (t *Table) Stuck(kind lifecycle.Kind, f lifecycle.Fact, now time.Time) bool {
	state, ok := lifecycle.Transient(kind, f.State, f.Provisioning)
	since := f.Since()
	if !ok || since.IsZero() {
		return false
	}
	limit := t.Of(kind, state).Limit
	return limit > 0 && now.Sub(since) > limit
}
