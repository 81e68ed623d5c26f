package audit

import (
	"cmp"
	"slices"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// A Span is a part of a period in which nothing is proven, and why.
type Span struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Reason string    `json:"reason"`
}

// A Proof is a part of a period in which everything is proven.
type Proof struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// A Coverage is what records prove about a kind of a project in a period.
type Coverage struct {
	Project string         `json:"project"`
	Kind    lifecycle.Kind `json:"kind"`
	From    time.Time      `json:"from"` // of the period
	To      time.Time      `json:"to"`
	// Up to this time, except in the gaps, the log has every change that MK.IO reported. It is the start of the last sweep.
	Proven time.Time     `json:"provenTo"`
	Share  time.Duration `json:"-"` // the proven part of the period
	Gaps   []Span        `json:"gaps"`
	Proofs []Proof       `json:"proven"` // the period without the gaps, and without an end that is pending
	// Polled is false if no sweep of the kind is on record: nothing is proven, and Reason says why. Provable is false if there
	// never can be one.
	Polled   bool   `json:"polled"`
	Provable bool   `json:"provable"`
	Reason   string `json:"reason,omitempty"`
	// Sweeps that began in the period, and their results.
	Sweeps    int  `json:"sweeps"`
	Resources int  `json:"resources"` // of the last sweep
	Rested    int  `json:"rested"`    // of the last sweep
	Differed  int  `json:"differed"`
	Repaired  int  `json:"repaired"`
	Pending   bool `json:"pending"` // the end of the period is not proven until the next sweep, which is not due yet
	// FirstSweep is the start of the kind's first sweep ever, if the period starts there because it is later than the requested
	// start; else nil.
	FirstSweep *time.Time `json:"begun,omitempty"`
	// Marks are the starts of sweeps of the period, as many as were asked for.
	Marks []time.Time `json:"marks,omitempty"`
}

// Complete reports whether there is no gap: all of the period is proven, except for an end that is Pending.
func (c Coverage) Complete() bool { return len(c.Gaps) == 0 }

// Reasons of gaps without a record.
const (
	reasonNoSweep = "no record of a sweep before"
	reasonOverdue = "no sweep completed in time"
)

// CoverageOf returns what the records of one kind of one project prove about a period. The records are in the order in which
// they were written, including those before the period; now decides which sweeps are overdue.
//
// A sweep compares every resource as it is at the sweep's start or later: a change before the start that still lasts is in
// the log. Between two sweeps, the second of which completed in time, everything is proven; with a gap in between, nothing
// is.
func CoverageOf(records []event.Coverage, from, to, now time.Time) Coverage {
	c := Coverage{From: from, To: to, Proven: from, Gaps: []Span{}, Polled: true, Provable: true}
	if len(records) > 0 {
		c.Project, c.Kind = records[0].Project, records[0].Kind
	}
	var last *event.Coverage // the last sweep
	var gap *event.Coverage  // opened since then
	for i := range records {
		r := &records[i]
		switch r.Record {
		case event.GapOpened:
			if gap == nil {
				gap = r
			}
		case event.Covered:
			if r.From.After(to) && last != nil && !last.From.Before(to) {
				continue // after the period
			}
			c.addSweep(last, gap, r)
			last, gap = r, nil
		case event.GapClosed: // implied by the sweep that closed it
		}
	}
	c.addEnd(last, gap, now)
	c.Gaps = clip(c.Gaps, from, to)
	c.Share = to.Sub(from)
	for _, g := range c.Gaps {
		c.Share -= g.To.Sub(g.From)
	}
	if c.Pending {
		c.Share -= to.Sub(latest(c.Proven, from))
	}
	c.Proofs = c.proofs()
	return c
}

// proofs returns what is proven: the time between the gaps, up to an end that is pending.
func (c *Coverage) proofs() []Proof {
	end, proofs := c.To, []Proof{}
	if c.Pending {
		end = latest(c.Proven, c.From)
	}
	from := c.From
	add := func(to time.Time) {
		if from.Before(to) {
			proofs = append(proofs, Proof{from, to})
		}
	}
	for _, gap := range c.Gaps {
		add(gap.From)
		from = latest(from, gap.To)
	}
	add(end)
	return proofs
}

// addSweep adds what a sweep proves together with the previous one.
func (c *Coverage) addSweep(last, gap, sweep *event.Coverage) {
	switch {
	case last == nil:
		c.Gaps = append(c.Gaps, Span{c.From, sweep.From, cmp.Or(reasonOf(gap), reasonNoSweep)})
	case gap != nil:
		c.Gaps = append(c.Gaps, Span{last.From, sweep.From, gap.Reason})
	case last.Due != nil && endOf(sweep).After(*last.Due):
		c.Gaps = append(c.Gaps, Span{last.From, sweep.From, reasonOverdue})
	}
	c.Proven = sweep.From
	if !sweep.From.Before(c.From) && sweep.From.Before(c.To) { // counts in only one of two adjacent periods
		c.Sweeps++
		c.Marks = append(c.Marks, sweep.From)
		c.Differed += sweep.Differed
		c.Repaired += sweep.Repaired
		c.Resources, c.Rested = sweep.Resources, sweep.Rested
	}
}

// addEnd adds the time from the last sweep to the end of the period.
func (c *Coverage) addEnd(last, gap *event.Coverage, now time.Time) {
	switch {
	case last == nil:
		c.Gaps = append(c.Gaps, Span{c.From, c.To, cmp.Or(reasonOf(gap), reasonNoSweep)})
	case !last.From.Before(c.To):
	case gap != nil:
		c.Gaps = append(c.Gaps, Span{last.From, c.To, gap.Reason})
	case last.Due != nil && now.After(*last.Due):
		c.Gaps = append(c.Gaps, Span{last.From, c.To, reasonOverdue})
	default:
		c.Pending = true
	}
}

func reasonOf(gap *event.Coverage) string {
	if gap == nil {
		return ""
	}
	return gap.Reason
}

func endOf(sweep *event.Coverage) time.Time {
	if sweep.To == nil {
		return sweep.From
	}
	return *sweep.To
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// clip limits spans to a period.
func clip(spans []Span, from, to time.Time) []Span {
	for i := range spans {
		spans[i].From = latest(spans[i].From, from)
		if spans[i].To.After(to) {
			spans[i].To = to
		}
	}
	return slices.DeleteFunc(spans, func(s Span) bool { return !s.From.Before(s.To) })
}
