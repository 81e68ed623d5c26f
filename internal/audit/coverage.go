package audit

import (
	"cmp"
	"slices"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// A Span is a part of a period of which nothing is proven, and why.
type Span struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Reason string    `json:"reason"`
}

// A Coverage is what is proven of a kind of a project in a period.
type Coverage struct {
	Project string         `json:"project"`
	Kind    lifecycle.Kind `json:"kind"`
	From    time.Time      `json:"from"` // of the period
	To      time.Time      `json:"to"`
	// Up to this moment, the gaps left out, the log has every change that MK.IO showed. It is when the last sweep began.
	Proven time.Time     `json:"provenTo"`
	Share  time.Duration `json:"-"` // how much of the period is proven
	Gaps   []Span        `json:"gaps"`
	// Sweeps that began in the period, and what they found.
	Sweeps    int  `json:"sweeps"`
	Resources int  `json:"resources"` // of the last sweep
	Rested    int  `json:"rested"`    // of the last sweep
	Differed  int  `json:"differed"`
	Repaired  int  `json:"repaired"`
	Pending   bool `json:"pending"` // the period's end waits for a sweep that is not due yet
	// Begun is when the kind was compared for the first time ever, where that is why the period begins later than was
	// asked for; nil: it does not.
	Begun *time.Time `json:"begun,omitempty"`
}

// Complete says whether there is no gap: all of the period is proven, or its end waits for the next sweep.
func (c Coverage) Complete() bool { return len(c.Gaps) == 0 }

// Reasons for gaps that no record names.
const (
	reasonNever   = "there is no record of a sweep before"
	reasonOverdue = "no sweep was made in time"
)

// Cover tells what records of one kind of one project prove of a period. The records are in the order in which they
// were written, those before the period included; now tells what is overdue.
//
// A sweep that began at a moment compared everything as it was then or later, so what changed before and was still so is
// in the log. From one sweep to the next that came in time, all is proven; with a gap in between, nothing is.
func Cover(records []event.Coverage, from, to, now time.Time) Coverage {
	c := Coverage{From: from, To: to}
	if len(records) > 0 {
		c.Project, c.Kind = records[0].Project, records[0].Kind
	}
	var last *event.Coverage // sweep
	var gap *event.Coverage  // since then
	for i := range records {
		r := &records[i]
		switch r.Record {
		case event.GapOpened:
			if gap == nil {
				gap = r
			}
		case event.Covered:
			if r.From.After(to) && last != nil && !last.From.Before(to) {
				continue // the period is behind
			}
			c.take(last, gap, r)
			last, gap = r, nil
		case event.GapClosed: // the sweep that closed it says as much
		}
	}
	c.end(last, gap, now)
	c.Gaps = clip(c.Gaps, from, to)
	c.Share = to.Sub(from)
	for _, g := range c.Gaps {
		c.Share -= g.To.Sub(g.From)
	}
	if c.Pending {
		c.Share -= to.Sub(latest(c.Proven, from))
	}
	return c
}

// take adds what a sweep proves together with the one before it.
func (c *Coverage) take(last, gap, sweep *event.Coverage) {
	switch {
	case last == nil:
		c.Gaps = append(c.Gaps, Span{c.From, sweep.From, cmp.Or(reasonOf(gap), reasonNever)})
	case gap != nil:
		c.Gaps = append(c.Gaps, Span{last.From, sweep.From, gap.Reason})
	case last.Due != nil && endOf(sweep).After(*last.Due):
		c.Gaps = append(c.Gaps, Span{last.From, sweep.From, reasonOverdue})
	}
	c.Proven = sweep.From
	if !sweep.From.Before(c.From) && sweep.From.Before(c.To) { // in one of two adjacent periods
		c.Sweeps++
		c.Differed += sweep.Differed
		c.Repaired += sweep.Repaired
		c.Resources, c.Rested = sweep.Resources, sweep.Rested
	}
}

// end says what follows the last sweep.
func (c *Coverage) end(last, gap *event.Coverage, now time.Time) {
	switch {
	case last == nil:
		c.Gaps = append(c.Gaps, Span{c.From, c.To, cmp.Or(reasonOf(gap), reasonNever)})
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

// clip cuts spans to a period.
func clip(spans []Span, from, to time.Time) []Span {
	for i := range spans {
		spans[i].From = latest(spans[i].From, from)
		if spans[i].To.After(to) {
			spans[i].To = to
		}
	}
	return slices.DeleteFunc(spans, func(s Span) bool { return !s.From.Before(s.To) })
}
