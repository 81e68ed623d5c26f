package status

import (
	"fmt"
	"time"

	"mkio-bridge/internal/doctor"
)

// When events are late.
const (
	minLateLimit = 2 * time.Minute
	lateSweeps   = 2    // a lost delivery is found by the next delta sweep
	fewLate      = 3    // late events that are no problem yet, whatever their share is
	someLate     = 0.05 // share of late events for attention
	mostLate     = 0.5  // share of late events that is critical
)

// lateLimit returns how long after MK.IO's time of a change its event is late: after twice the time between two delta sweeps.
func (f *facts) lateLimit() time.Duration {
	limit := minLateLimit
	for _, l := range f.projects {
		limit = max(limit, lateSweeps*time.Duration(l.SweepSeconds*float64(time.Second)))
	}
	return limit
}

// late judges whether events are recorded late, and whether resources are stuck in a state.
func (f *facts) late() findings {
	l := f.rates.Lateness
	all := findings{right: "no change with a time of MK.IO was recorded in the last hour"}
	if l.Events > 0 {
		all.right = fmt.Sprintf("95 %% of the changes of the last hour were recorded within %s of MK.IO's time", about(l.P95Seconds))
	}
	if share := float64(l.Late) / float64(max(1, l.Events)); l.Late >= fewLate && share > someLate {
		finding := doctor.Finding{
			Check: "lateness", Level: doctor.Warning, Codes: []doctor.Code{doctor.EventsLate},
			Found: fmt.Sprintf("%d of %d changes of the last hour were recorded more than %s after MK.IO's time", l.Late, l.Events, about(l.LimitSeconds)),
		}
		if share > mostLate {
			finding.Level = doctor.Failed
		}
		all.add(finding, time.Time{})
	}
	if f.rates.Partial {
		all.add(doctor.Finding{Check: "lateness", Level: doctor.Warning, Found: "the events of the last hour are still being read"}, time.Time{})
	}
	for _, s := range f.motion.Stuck() {
		all.add(doctor.Finding{
			Check: "resources of kind " + string(s.Usual.Kind), Level: doctor.Warning, Codes: []doctor.Code{doctor.ResourcesStuck},
			Found: fmt.Sprintf("%d stuck in %s, the first since %s; the limit is %s", s.Resources, stateName(s.Usual.State), s.Since.UTC().Format(time.RFC3339), about(seconds(s.Usual.Limit))),
		}, s.Since)
	}
	return all
}

func stateName(state string) string {
	if state == "" {
		return "the empty state"
	}
	return state
}

// about formats seconds for a reader.
func about(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if d > time.Minute {
		return d.Round(time.Second).String()
	}
	return d.Round(time.Millisecond).String()
}
