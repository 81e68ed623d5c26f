package status

import (
	"cmp"
	"slices"
	"time"

	"mkio-bridge/internal/doctor"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// status computes the status.
func (f *facts) status(advise func(doctor.Finding) string) Status {
	s := Status{
		AsOf: f.now.UTC().Truncate(time.Millisecond), Log: f.log, Events: f.rates, Resources: f.resources(), Unapplied: f.unapplied,
		Gaps: slices.Clone(f.gaps), Projects: []Project{},
	}
	if s.Gaps == nil {
		s.Gaps = []Gap{}
	}
	s.fillUnread(f)
	slices.SortFunc(s.Gaps, func(a, b Gap) int { return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.Kind, b.Kind)) })
	for _, leader := range f.projects {
		s.Projects = append(s.Projects, f.project(leader))
	}
	healthy, complete, late := f.healthy(), f.complete(), f.late()
	if f.unreadable != nil {
		// Without the facts nothing is known to be right.
		unreadable := problem{Finding: doctor.Finding{Check: "status", Level: doctor.Failed, Found: "cannot be read: " + f.unreadable.Error(), Codes: []doctor.Code{doctor.StreamUnavailable}, Cause: f.unreadable}}
		healthy.problems = append(healthy.problems, unreadable)
		unreadable.Level, unreadable.Found = doctor.Warning, "not known, because the status cannot be read"
		complete.problems, late.problems = append(complete.problems, unreadable), append(late.problems, unreadable)
	}
	s.Verdicts = Verdicts{healthy.verdict(advise), complete.verdict(advise), late.verdict(advise)}
	return s
}

// fillUnread sets the counts that could not be read to empty ones, because a null in their place breaks clients. The verdicts say that
// they are not known.
func (s *Status) fillUnread(f *facts) {
	if s.Events.Total == nil {
		s.Events = (&hour{}).rates(f.now, f.lateLimit())
		s.Events.Partial = true
	}
	if s.Unapplied.Stored == nil {
		s.Unapplied.Stored = map[lifecycle.Reason]int{}
	}
	if s.Unapplied.LastHour == nil {
		s.Unapplied.LastHour = map[lifecycle.Reason]int{}
	}
}

// project returns what the leader of a project publishes.
func (f *facts) project(l event.Leader) Project {
	p := Project{Project: l.Project, Polled: f.polled[l.Project], Leader: l.Instance}
	if l.At.IsZero() {
		return p // no leader, or one of an older version
	}
	p.Since, p.AsOf, p.TokenEnds = &l.Since, &l.At, l.Token.Ends
	p.Budget = &Budget{l.Budget.PerMinute, l.Budget.Used}
	if d := l.Deliveries; d != nil {
		p.Deliveries = &Deliveries{Rule: d.Rule, Sent: d.Sent, Unsent: d.Unsent, Failed: d.Failed}
		if day := d.Day; day != nil {
			p.Deliveries.Day = &Day{day.Since, day.Sent, day.Failed, day.Retrying, day.Pending}
		}
	}
	if r := l.Rule; r != nil {
		p.Rule = &Rule{Name: r.Rule, AsOf: r.At, State: r.State, Managed: r.Managed, Enabled: r.Enabled, URL: r.URL, Reason: r.Reason}
	}
	if l.Paused != nil {
		p.Paused = l.Paused.Reason
	}
	if l.Identity != nil {
		p.Identity = l.Identity.Reason
	}
	return p
}

// A problem is a finding with when it began (zero: not known) and, if it is not that of its codes, the advice.
type problem struct {
	doctor.Finding
	since time.Time
	do    string
}

// findings are the problems that decide a verdict, and what is right without any.
type findings struct {
	problems []problem
	right    string
}

// add adds a finding, unless it is no problem.
func (all *findings) add(f doctor.Finding, since time.Time) {
	if f.Level != doctor.OK {
		all.problems = append(all.problems, problem{Finding: f, since: since})
	}
}

// level returns the level of a finding.
func level(f doctor.Finding) Level {
	switch f.Level {
	case doctor.Failed:
		return Critical
	case doctor.Warning:
		return Attention
	case doctor.OK:
	}
	return OK
}

// verdict returns the verdict: that of the worst problem, and of these the one that began first.
func (all findings) verdict(advise func(doctor.Finding) string) Verdict {
	v := Verdict{Level: OK, Reason: all.right, Problems: []Problem{}}
	for _, p := range all.problems {
		v.Problems = append(v.Problems, Problem{Level: level(p.Finding), Check: p.Check, Reason: p.Found, Since: optional(p.since), Do: cmp.Or(p.do, advise(p.Finding))})
	}
	slices.SortStableFunc(v.Problems, func(a, b Problem) int {
		if a.Level != b.Level {
			return cmp.Compare(rank(b.Level), rank(a.Level))
		}
		return cmp.Or(compareBeginnings(a.Since, b.Since), cmp.Compare(a.Check, b.Check))
	})
	if len(v.Problems) > 0 {
		worst := v.Problems[0]
		v.Level, v.Reason, v.Since, v.Do = worst.Level, worst.Check+": "+worst.Reason, worst.Since, worst.Do
	}
	return v
}

func rank(l Level) int { return slices.Index([]Level{OK, Attention, Critical}, l) }

// compareBeginnings orders an unknown beginning last.
func compareBeginnings(a, b *time.Time) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return a.Compare(*b)
}

// optional returns nil for the zero time.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}
