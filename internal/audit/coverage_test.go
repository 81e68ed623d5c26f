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

// swept is a sweep that took a minute, after which the next is due within 90.
func swept(minute int) event.Coverage {
	to, due := at(minute+1), at(minute+91)
	return event.Coverage{Record: event.Covered, Project: "vod", Kind: lifecycle.Job, From: at(minute), To: &to, Due: &due, Resources: 7, Differed: 2, Repaired: 1}
}

func opened(since int, reason string) event.Coverage {
	return event.Coverage{Record: event.GapOpened, Project: "vod", Kind: lifecycle.Job, From: at(since), Reason: reason}
}

func closed(since, to int) event.Coverage {
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
		{"sweeps in a row", []event.Coverage{swept(0), swept(60), swept(120), swept(180)}, 30, 150, 200, "", 180, 120, false, 2},
		{"the end waits for the next", []event.Coverage{swept(0), swept(60)}, 30, 100, 100, "", 60, 30, true, 1},
		{"the next is overdue", []event.Coverage{swept(0), swept(60)}, 30, 300, 300, "60-300 no sweep was made in time", 60, 30, false, 1},
		{"it came too late", []event.Coverage{swept(0), swept(200), swept(260)}, 0, 260, 270, "0-200 no sweep was made in time", 260, 60, false, 2},
		{"a gap that was closed", []event.Coverage{swept(0), opened(0, "502"), closed(0, 30), swept(30), swept(60)}, 0, 60, 60, "0-30 502", 60, 30, false, 2},
		{"a gap twice told", []event.Coverage{swept(0), opened(0, "502"), opened(0, "again"), closed(0, 30), swept(30)}, 0, 30, 40, "0-30 502", 30, 0, false, 1},
		{"a gap that is open", []event.Coverage{swept(0), swept(60), opened(60, "403")}, 0, 90, 90, "60-90 403", 60, 60, false, 2},
		{"a gap opened after the period", []event.Coverage{swept(0), swept(60), opened(60, "403")}, 0, 60, 300, "", 60, 60, false, 1},
		{"nothing before", []event.Coverage{swept(60), swept(120)}, 0, 120, 130, "0-60 there is no record of a sweep before", 120, 60, false, 1},
		{"nothing at all", nil, 0, 60, 60, "0-60 there is no record of a sweep before", -1, 0, false, 0},
		{"it never worked", []event.Coverage{opened(10, "401")}, 0, 60, 60, "0-60 401", -1, 0, false, 0},
		{"a gap before the period", []event.Coverage{swept(0), opened(0, "502"), closed(0, 30), swept(30), swept(90), swept(150)}, 60, 120, 200, "", 150, 60, false, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := audit.Cover(test.records, at(test.from), at(test.to), at(test.now))
			var gaps []string
			for _, g := range c.Gaps {
				gaps = append(gaps, fmt.Sprintf("%d-%d %s", int(g.From.Sub(noon).Minutes()), int(g.To.Sub(noon).Minutes()), g.Reason))
			}
			if got := strings.Join(gaps, "; "); got != test.gaps {
				t.Errorf("gaps %q, want %q", got, test.gaps)
			}
			if test.proven >= 0 && !c.Proven.Equal(at(test.proven)) {
				t.Errorf("proven up to %s", c.Proven)
			}
			if int(c.Share.Minutes()) != test.share || c.Pending != test.pending || c.Sweeps != test.sweeps || c.Complete() != (test.gaps == "") {
				t.Errorf("%+v", c)
			}
			if c.Differed != 2*test.sweeps || c.Repaired != test.sweeps {
				t.Errorf("what sweeps of the period found is %d and %d", c.Differed, c.Repaired)
			}
		})
	}
}
