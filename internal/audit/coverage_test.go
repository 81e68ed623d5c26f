package audit_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

var noon = time.Date(2031, 3, 4, 12, 0, 0, 0, time.UTC)

func at(minute int) time.Time { return noon.Add(time.Duration(minute) * time.Minute) }

// sweepAt returns a sweep of one minute, after which the next is due within 90 minutes.
func sweepAt(minute int) event.Coverage {
	to, due := at(minute+1), at(minute+91)
	return event.Coverage{Record: event.Covered, Project: "vod", Kind: lifecycle.Job, From: at(minute), To: &to, Due: &due, Resources: 7, Differed: 2, Repaired: 1}
}

func gapOpenedAt(since int, reason string) event.Coverage {
	return event.Coverage{Record: event.GapOpened, Project: "vod", Kind: lifecycle.Job, From: at(since), Reason: reason}
}

func gapClosedAt(since, to int) event.Coverage {
	end := at(to)
	return event.Coverage{Record: event.GapClosed, Project: "vod", Kind: lifecycle.Job, From: at(since), To: &end}
}

func TestCover(t *testing.T) {
	tests := []struct {
		name          string
		records       []event.Coverage
		from, to, now int
		gaps          string // from-to reason
		proven, share int    // minutes
		pending       bool
		sweeps        int
	}{
		{"sweeps in a row", []event.Coverage{sweepAt(0), sweepAt(60), sweepAt(120), sweepAt(180)}, 30, 150, 200, "", 180, 120, false, 2},
		{"the end is pending", []event.Coverage{sweepAt(0), sweepAt(60)}, 30, 100, 100, "", 60, 30, true, 1},
		{"the next is overdue", []event.Coverage{sweepAt(0), sweepAt(60)}, 30, 300, 300, "60-300 no sweep completed in time", 60, 30, false, 1},
		{"a late sweep", []event.Coverage{sweepAt(0), sweepAt(200), sweepAt(260)}, 0, 260, 270, "0-200 no sweep completed in time", 260, 60, false, 2},
		{"a gap that was closed", []event.Coverage{sweepAt(0), gapOpenedAt(0, "502"), gapClosedAt(0, 30), sweepAt(30), sweepAt(60)}, 0, 60, 60, "0-30 502", 60, 30, false, 2},
		{"a gap recorded twice", []event.Coverage{sweepAt(0), gapOpenedAt(0, "502"), gapOpenedAt(0, "again"), gapClosedAt(0, 30), sweepAt(30)}, 0, 30, 40, "0-30 502", 30, 0, false, 1},
		{"a gap that is open", []event.Coverage{sweepAt(0), sweepAt(60), gapOpenedAt(60, "403")}, 0, 90, 90, "60-90 403", 60, 60, false, 2},
		{"a gap opened after the period", []event.Coverage{sweepAt(0), sweepAt(60), gapOpenedAt(60, "403")}, 0, 60, 300, "", 60, 60, false, 1},
		{"nothing before", []event.Coverage{sweepAt(60), sweepAt(120)}, 0, 120, 130, "0-60 no record of a sweep before", 120, 60, false, 1},
		{"nothing at all", nil, 0, 60, 60, "0-60 no record of a sweep before", -1, 0, false, 0},
		{"no sweep ever succeeded", []event.Coverage{gapOpenedAt(10, "401")}, 0, 60, 60, "0-60 401", -1, 0, false, 0},
		{"a gap before the period", []event.Coverage{sweepAt(0), gapOpenedAt(0, "502"), gapClosedAt(0, 30), sweepAt(30), sweepAt(90), sweepAt(150)}, 60, 120, 200, "", 150, 60, false, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := audit.CoverageOf(test.records, at(test.from), at(test.to), at(test.now))
			var gaps []string
			for _, g := range c.Gaps {
				gaps = append(gaps, fmt.Sprintf("%d-%d %s", int(g.From.Sub(noon).Minutes()), int(g.To.Sub(noon).Minutes()), g.Reason))
			}
			if got := strings.Join(gaps, "; "); got != test.gaps {
				t.Errorf("gaps %q, want %q", got, test.gaps)
			}
			if got, want := provenOf(c), test.to-test.from-minutesOf(c.Gaps); !test.pending && got != want || got != test.share {
				t.Errorf("%d minutes are in %v, want %d", got, c.Proofs, test.share)
			}
			if len(c.Marks) != test.sweeps {
				t.Errorf("%d marks", len(c.Marks))
			}
			if test.proven >= 0 && !c.Proven.Equal(at(test.proven)) {
				t.Errorf("proven up to %s", c.Proven)
			}
			if int(c.Share.Minutes()) != test.share || c.Pending != test.pending || c.Sweeps != test.sweeps || c.Complete() != (test.gaps == "") {
				t.Errorf("%+v", c)
			}
			if c.Differed != 2*test.sweeps || c.Repaired != test.sweeps {
				t.Errorf("the sweeps of the period have %d differences and %d repairs", c.Differed, c.Repaired)
			}
		})
	}
}

// provenOf returns the length of what is proven, in minutes, and minutesOf that of gaps.
func provenOf(c audit.Coverage) (minutes int) {
	for _, p := range c.Proofs {
		minutes += int(p.To.Sub(p.From).Minutes())
	}
	return minutes
}

func minutesOf(gaps []audit.Span) (minutes int) {
	for _, g := range gaps {
		minutes += int(g.To.Sub(g.From).Minutes())
	}
	return minutes
}
