package status

import (
	"fmt"
	"strings"
	"time"

	"mkio-bridge/internal/doctor"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/printable"
)

// healthy judges whether the installation works as configured.
func (f *facts) healthy() findings {
	all := findings{right: "the streams are as they must be, and every project is polled: " + f.projectNames()}
	for _, finding := range f.findings {
		all.add(finding, time.Time{})
	}
	if len(f.projects) == 0 {
		all.right = "the streams are as they must be"
		if f.unreadable == nil {
			all.add(doctor.Finding{Check: "polling", Level: doctor.Warning, Found: "no project is polled: changes without a webhook, and lost deliveries, are not found", Codes: []doctor.Code{doctor.NothingPolled}}, time.Time{})
		}
	}
	for _, leader := range f.projects {
		f.judgeLeader(&all, leader)
	}
	return all
}

func (f *facts) projectNames() string {
	names := make([]string, len(f.projects))
	for i, p := range f.projects {
		names[i] = p.Project
	}
	return printable.Name(strings.Join(names, ", "))
}

// budgetShare is the share of the request budget from which polls wait for it.
const budgetShare = 0.9

// judgeLeader judges what the leader of a project publishes.
func (f *facts) judgeLeader(all *findings, l event.Leader) {
	project := printable.Name(l.Project)
	if !f.polled[l.Project] {
		finding := doctor.Finding{Check: "polling of " + project, Level: doctor.Failed, Found: "no bridge polls the project", Codes: []doctor.Code{doctor.NotPolled}}
		if !f.compared[l.Project] {
			finding.Level, finding.Found = doctor.Warning, "no bridge has polled the project yet"
		}
		all.add(finding, time.Time{})
		return
	}
	for _, trouble := range []*event.LeaderTrouble{l.Paused, l.Identity} {
		if trouble == nil {
			continue
		}
		finding := doctor.Finding{Check: "polling of " + project, Level: doctor.Warning, Found: trouble.Reason, Codes: []doctor.Code{doctor.PollingStopped}}
		if trouble.Stops {
			finding.Level = doctor.Failed
		}
		all.problems = append(all.problems, problem{finding, trouble.Since, trouble.Do})
	}
	if l.At.IsZero() {
		return // of an older version
	}
	var end time.Time
	if l.Token.Ends != nil {
		end = *l.Token.Ends
	}
	all.add(doctor.JudgeToken("API token of "+project, "as the bridge that polls the project has it", mkio.TokenType(l.Token.Kind), end, f.now), time.Time{})
	if b := l.Budget; float64(b.Used) >= budgetShare*float64(b.PerMinute) && b.PerMinute > 0 {
		all.add(doctor.Finding{Check: "request budget of " + project, Level: doctor.Warning, Found: fmt.Sprintf("%d of %d requests a minute are used", b.Used, b.PerMinute), Codes: []doctor.Code{doctor.BudgetUsed}}, time.Time{})
	}
	if d := l.Deliveries; d != nil {
		newest := doctor.Deliveries{Sent: timeOf(d.Sent), Unsent: timeOf(d.Unsent), Failed: timeOf(d.Failed)}
		all.add(newest.Judge("deliveries of webhook rule "+printable.Name(d.Rule)+" in "+project, "a delivery did not arrive at "+newest.Unsent.Format(time.RFC3339), f.now), newest.Unsent)
	}
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
