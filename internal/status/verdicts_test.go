package status

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/doctor"
	"mkio-bridge/internal/durations"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

var noon = time.Date(2031, 3, 4, 12, 0, 0, 0, time.UTC)

// calm returns facts of an installation without a problem.
func calm() *facts {
	ends := noon.Add(365 * 24 * time.Hour)
	return &facts{
		now: noon, polled: map[string]bool{"vod": true}, compared: map[string]bool{"vod": true},
		projects: []event.Leader{{
			Project: "vod", Instance: "bridge-0", Since: noon.Add(-time.Hour), At: noon.Add(-time.Second), SweepSeconds: 60, FullSeconds: 3600,
			Budget: event.LeaderBudget{PerMinute: 1000, Used: 100}, Token: event.LeaderToken{Ends: &ends, Kind: string(mkio.TokenRestricted)},
			Deliveries: &event.LeaderDeliveries{Rule: "mkio-bridge", Sent: new(noon)},
		}},
		rates: Rates{Lateness: Lateness{Events: 100, P95Seconds: 0.4, LimitSeconds: 120}},
	}
}

func advice(f doctor.Finding) string {
	if len(f.Codes) == 0 {
		return ""
	}
	return string(f.Codes[0])
}

func TestVerdicts(t *testing.T) {
	ago := func(d time.Duration) *time.Time { return new(noon.Add(-d)) }
	gap := func(age time.Duration) Gap {
		return Gap{Project: "vod", Kind: lifecycle.Job, Since: noon.Add(-age), Reason: "a sweep is overdue"}
	}
	var table durations.Table
	for _, tt := range []struct {
		name                    string
		spoil                   func(f *facts, leader *event.Leader)
		healthy, complete, late Level
		reason, do              string
		since                   time.Duration // before now; 0: not known
	}{
		{"nothing", func(*facts, *event.Leader) {}, OK, OK, OK, "", "", 0},
		{"a stream is gone", func(f *facts, _ *event.Leader) {
			f.findings = []doctor.Finding{{Check: "stream MKIO_AUDIT", Level: doctor.Failed, Found: "does not exist", Codes: []doctor.Code{doctor.StreamMissing}}}
		}, Critical, OK, OK, "stream MKIO_AUDIT: does not exist", "stream-missing", 0},
		{"nobody polls", func(f *facts, l *event.Leader) { *l = event.Leader{Project: "vod"}; f.polled["vod"] = false }, Critical, OK, OK, "polling of vod: no bridge", "not-polled", 0},
		{"nobody has polled yet", func(f *facts, l *event.Leader) {
			*l = event.Leader{Project: "vod"}
			f.polled["vod"], f.compared["vod"] = false, false
		}, Attention, OK, OK, "polling of vod: no bridge has polled", "not-polled", 0},
		{"no project", func(f *facts, _ *event.Leader) { f.projects, f.compared = nil, nil }, Attention, Attention, OK, "polling: no project", "nothing-polled", 0},
		{"a leader of an older version", func(_ *facts, l *event.Leader) { *l = event.Leader{Project: "vod"} }, OK, OK, OK, "", "", 0},
		{"a refused token", func(_ *facts, l *event.Leader) {
			l.Paused = &event.LeaderTrouble{Since: *ago(time.Hour), Reason: "401", Stops: true, Do: "renew it"}
		}, Critical, OK, OK, "polling of vod: 401", "renew it", time.Hour},
		{"an unknown identity", func(_ *facts, l *event.Leader) {
			l.Identity = &event.LeaderTrouble{Since: *ago(time.Hour), Reason: "unknown"}
		}, Attention, OK, OK, "polling of vod: unknown", "polling-stopped", time.Hour},
		{"a token that ends soon", func(_ *facts, l *event.Leader) { l.Token.Ends = ago(-24 * time.Hour) }, Attention, OK, OK, "API token of vod: expires soon", "token-expires", 0},
		{"a token that has ended", func(_ *facts, l *event.Leader) { l.Token.Ends = ago(time.Hour) }, Critical, OK, OK, "API token of vod: expired", "token-expires", 0},
		{"the budget", func(_ *facts, l *event.Leader) { l.Budget.Used = 930 }, Attention, OK, OK, "request budget of vod: 930 of 1000", "budget-used", 0},
		{"a delivery that is retried", func(_ *facts, l *event.Leader) { l.Deliveries.Unsent = ago(time.Hour) }, Attention, OK, OK, "deliveries of webhook rule mkio-bridge in vod: a delivery did not arrive", "deliveries-fail", time.Hour},
		{"deliveries that fail", func(_ *facts, l *event.Leader) {
			l.Deliveries = &event.LeaderDeliveries{Rule: "r", Sent: ago(2 * time.Hour), Unsent: ago(time.Hour), Failed: ago(time.Hour)}
		}, Critical, OK, OK, "deliveries of webhook rule r in vod: ", "deliveries-fail", time.Hour},
		{"a failed delivery of long ago", func(_ *facts, l *event.Leader) {
			l.Deliveries = &event.LeaderDeliveries{Rule: "r", Unsent: ago(25 * time.Hour), Failed: ago(25 * time.Hour)}
		}, OK, OK, OK, "", "", 0},
		{"missing events", func(f *facts, _ *event.Leader) { f.log.Missing = 2 }, OK, Critical, OK, "event log: 2 events", "log-damaged", 0},
		{"a gap", func(f *facts, _ *event.Leader) { f.gaps = []Gap{gap(90 * time.Minute)} }, OK, Attention, OK, "coverage of job in vod: not verified since 2031-03-04T10:30:00Z: a sweep is overdue", "coverage-gap", 90 * time.Minute},
		{"a long gap", func(f *facts, _ *event.Leader) { f.gaps = []Gap{gap(3 * time.Hour)} }, OK, Critical, OK, "coverage of job in vod", "coverage-gap", 3 * time.Hour},
		{"unapplied deliveries", func(f *facts, _ *event.Leader) {
			f.unapplied.LastHour = map[lifecycle.Reason]int{lifecycle.ReasonMalformed: 20, lifecycle.ReasonLate: 19}
		}, OK, Attention, OK, "unapplied deliveries: 20 deliveries of the last hour became no event: malformed", "unapplied-grows", 0},
		{"a full stream", func(f *facts, _ *event.Leader) { f.unapplied.UsedRatio = 0.85 }, OK, Attention, OK, "unapplied deliveries: their stream is 85 % full", "unapplied-full", 0},
		{"late events", func(f *facts, _ *event.Leader) { f.rates.Lateness.Late = 6 }, OK, OK, Attention, "lateness: 6 of 100", "events-late", 0},
		{"two late events of three", func(f *facts, _ *event.Leader) { f.rates.Lateness.Events, f.rates.Lateness.Late = 3, 2 }, OK, OK, OK, "", "", 0},
		{"most events late", func(f *facts, _ *event.Leader) { f.rates.Lateness.Late = 60 }, OK, OK, Critical, "lateness: 60 of 100", "events-late", 0},
		{"an hour that is still being read", func(f *facts, _ *event.Leader) { f.rates.Partial = true }, OK, OK, Attention, "lateness: the events of the last hour are still", "", 0},
		{"a stuck job", func(f *facts, _ *event.Leader) {
			table.Count(&f.motion, lifecycle.Job, lifecycle.Fact{State: "Processing", At: noon.Add(-7 * time.Hour)}, noon)
			table.Count(&f.motion, lifecycle.Job, lifecycle.Fact{State: "Processing", At: noon.Add(-time.Hour)}, noon)
		}, OK, OK, Attention, "resources of kind job: 1 stuck in Processing, the first since 2031-03-04T05:00:00Z; the limit is 6h0m0s", "resources-stuck", 7 * time.Hour},
		{"what cannot be read", func(f *facts, _ *event.Leader) { f.unreadable = errors.New("no responders") }, Critical, Attention, Attention, "status: cannot be read: no responders", "stream-unavailable", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := calm()
			tt.spoil(f, &f.projects[0])
			s := f.status(advice)
			worst := Verdict{Level: OK}
			for _, v := range []struct {
				name string
				got  Verdict
				want Level
			}{{"healthy", s.Verdicts.Healthy, tt.healthy}, {"complete", s.Verdicts.Complete, tt.complete}, {"late", s.Verdicts.Late, tt.late}} {
				if v.got.Level != v.want || v.got.Reason == "" {
					t.Errorf("%s: %+v, want %s", v.name, v.got, v.want)
				}
				if v.got.Level != OK && worst.Level == OK {
					worst = v.got
				}
			}
			if worst.Level != OK && (!strings.HasPrefix(worst.Reason, tt.reason) || worst.Do != tt.do) {
				t.Errorf("%+v, want the reason %q and the advice %q", worst, tt.reason, tt.do)
			}
			if since := timeOf(worst.Since); tt.since == 0 != since.IsZero() || tt.since > 0 && !since.Equal(noon.Add(-tt.since)) {
				t.Errorf("since %s, want %s before noon", since, tt.since)
			}
		})
	}
}

// The worst problem is the verdict, and of several the one that lasts longest.
func TestTheWorstProblemIsTheVerdict(t *testing.T) {
	f := calm()
	f.gaps = []Gap{
		{"vod", lifecycle.Asset, noon.Add(-time.Minute), "a"}, {"vod", lifecycle.Job, noon.Add(-4 * time.Hour), "b"}, {"vod", lifecycle.LiveEvent, noon.Add(-5 * time.Hour), "c"},
	}
	v := f.complete().verdict(func(doctor.Finding) string { return "" })
	if v.Level != Critical || !strings.Contains(v.Reason, "live-event") || len(v.Problems) != 3 || v.Problems[2].Level != Attention {
		t.Errorf("%+v", v)
	}
}

// What could not be read is no null in the response.
func TestStatusHasNoNull(t *testing.T) {
	f := &facts{now: time.Now(), unreadable: errors.New("no responders")}
	response, err := json.Marshal(f.status(func(doctor.Finding) string { return "" }))
	if err != nil || bytes.Contains(response, []byte("null")) {
		t.Errorf("%v: %s", err, response)
	}
	if !bytes.Contains(response, []byte(`"partial":true`)) {
		t.Errorf("the hour is shown as read: %s", response)
	}
}
