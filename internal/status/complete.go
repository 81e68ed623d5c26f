package status

import (
	"fmt"
	"time"

	"mkio-bridge/internal/doctor"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/printable"
)

// longGap is how many full sweeps a gap of coverage may outlast before it is critical; minLongGap is the least.
const (
	longGap    = 2
	minLongGap = time.Hour
)

// Shares and counts from which unapplied deliveries are a problem; the alerts have the same.
const (
	unappliedMany = 20 // of one reason in an hour
	unappliedFull = 0.8
)

// complete judges whether it is verified that the log has every change that MK.IO reported.
func (f *facts) complete() findings {
	all := findings{right: fmt.Sprintf("every polled kind of %d projects was compared with MK.IO in time", len(f.projects))}
	if f.log.Missing > 0 {
		all.add(doctor.Finding{Check: "event log", Level: doctor.Failed, Found: fmt.Sprintf("%d events are missing in the middle", f.log.Missing), Codes: []doctor.Code{doctor.LogDamaged}}, time.Time{})
	}
	if len(f.compared) == 0 && f.unreadable == nil {
		all.add(doctor.Finding{Check: "coverage", Level: doctor.Warning, Found: "nothing was compared with MK.IO yet", Codes: []doctor.Code{doctor.CoverageGap}}, time.Time{})
	}
	for _, gap := range f.gaps {
		finding := doctor.Finding{
			Check: fmt.Sprintf("coverage of %s in %s", gap.Kind, printable.Name(gap.Project)), Level: doctor.Warning,
			Found: "not verified since " + gap.Since.Format(time.RFC3339) + ": " + gap.Reason, Codes: []doctor.Code{doctor.CoverageGap},
		}
		if f.now.Sub(gap.Since) > f.longGap(gap.Project) {
			finding.Level = doctor.Failed
		}
		all.add(finding, gap.Since)
	}
	for _, reason := range lifecycle.Reasons() {
		if n := f.unapplied.LastHour[reason]; n >= unappliedMany {
			all.add(doctor.Finding{Check: "unapplied deliveries", Level: doctor.Warning, Found: fmt.Sprintf("%d deliveries of the last hour became no event: %s", n, reason), Codes: []doctor.Code{doctor.UnappliedGrows}}, time.Time{})
		}
	}
	if share := f.unapplied.UsedRatio; share > unappliedFull {
		finding := doctor.Finding{Check: "unapplied deliveries", Level: doctor.Warning, Found: fmt.Sprintf("their stream is %.0f %% full", 100*share), Codes: []doctor.Code{doctor.UnappliedFull}}
		all.add(finding, time.Time{})
	}
	return all
}

// longGap returns the age from which a gap of a project is critical.
func (f *facts) longGap(project string) time.Duration {
	for _, l := range f.projects {
		if l.Project == project {
			return max(minLongGap, longGap*time.Duration(l.FullSeconds*float64(time.Second)))
		}
	}
	return minLongGap
}
