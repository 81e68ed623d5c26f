package status_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/doctor"
	"mkio-bridge/internal/durations"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/status"
	"mkio-bridge/internal/streams"
)

var names = event.NewNames(event.DefaultPrefix)

// A fixture is an installation on a real JetStream, without bridges.
type fixture struct {
	t         *testing.T
	nc        *nats.Conn
	js        jetstream.JetStream
	publisher *publish.Publisher
	now       time.Time
}

func setUp(t *testing.T) *fixture {
	t.Helper()
	nc, js := brokertest.Start(t).Connect()
	f := &fixture{t: t, nc: nc, js: js}
	if err := streams.Ensure(t.Context(), js, f.streams()); err != nil {
		t.Fatal(err)
	}
	f.publisher = f.bridge()
	return f
}

func (f *fixture) streams() streams.Config {
	return streams.Config{Names: names, Replicas: 1, Create: true}
}

// bridge returns the publisher of a bridge that has just started.
func (f *fixture) bridge() *publish.Publisher {
	p := publish.New(f.nc, f.js, publish.Config{Names: names, BaseURL: "https://app.mk.io", Log: slog.New(slog.DiscardHandler)})
	f.check(p.Load(f.t.Context()))
	return p
}

func (f *fixture) check(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// reader returns the reader of a bridge with this publisher.
func (f *fixture) reader(motion func(context.Context, time.Time) (durations.Motion, []durations.Usual, error)) *status.Reader {
	return status.NewReader(status.Config{
		JS: f.js, Log: eventlog.New(f.js, names), NATS: doctor.NATS{Streams: f.streams()}, Writes: true, Motion: motion,
		Advise: func(f doctor.Finding) string { return string(f.Codes[0]) }, Now: func() time.Time { return f.now },
	})
}

// record records an event of a job that reached a state some time ago.
func (f *fixture) record(name, state string, via lifecycle.Via, ago time.Duration) {
	f.t.Helper()
	key, err := lifecycle.NewKey(lifecycle.Job, "vod", "ladder", name)
	f.check(err)
	o := lifecycle.Observation{Key: key, State: state, At: f.now.Add(-ago), Via: via, Source: "/x", Subject: "x"}
	if via == lifecycle.Webhook {
		o.Delivery = &lifecycle.Delivery{ID: name + state, Type: "MediaKind.Test", Received: f.now}
	} else {
		o.SeenBefore = f.now
		o.Basis = new(uint64(0))
		if fact, ok := f.publisher.Recorded(key); ok {
			o.Basis = &fact.Sequence
		}
	}
	v, err := f.publisher.Observe(f.t.Context(), o)
	if err != nil || v.Outcome != lifecycle.Changed {
		f.t.Fatalf("%s %s: %s, %v", name, state, v.Outcome, err)
	}
}

// cover stores that a kind was compared.
func (f *fixture) cover(record event.CoverageRecord, kind lifecycle.Kind, ago time.Duration) {
	f.t.Helper()
	at := f.now.Add(-ago)
	due := at.Add(90 * time.Minute)
	f.check(f.publisher.StoreCoverage(f.t.Context(), event.Coverage{Record: record, Project: "vod", Kind: kind, From: at, To: &at, Due: &due, Reason: "MK.IO answered 503", RecordedTime: at}))
}

// lead stores what the leader of the project publishes.
func (f *fixture) lead(change func(*event.Leader)) {
	f.t.Helper()
	leases, err := f.js.KeyValue(f.t.Context(), names.LeaseBucket())
	f.check(err)
	l := event.Leader{Project: "vod", Instance: "bridge-0", Since: f.now.Add(-time.Hour), At: f.now, SweepSeconds: 60, FullSeconds: 3600, Budget: event.LeaderBudget{PerMinute: 1000, Used: 12}}
	change(&l)
	value, err := l.Encode()
	f.check(err)
	_, err = leases.Put(f.t.Context(), event.NameToken("vod"), value)
	f.check(err)
}

// Two bridges, of which one has just started, and a command return the same, from what is stored.
func TestTheStatusIsTheSameFromEveryBridge(t *testing.T) {
	f := setUp(t)
	f.now = time.Now()
	first := f.reader(f.publisher.Motion)
	for i := range 12 {
		name := fmt.Sprint("ep-", i)
		f.record(name, "Processing", lifecycle.Webhook, 20*time.Minute)
		f.record(name, "Finished", lifecycle.Poll, 10*time.Minute)
	}
	f.record("gone", "Deleted", lifecycle.Poll, 10*time.Minute)
	f.cover(event.Covered, lifecycle.Job, time.Minute)
	f.lead(func(*event.Leader) {})
	first.Status(t.Context()) // has read these events, and reads only the next ones later
	f.record("slow", "Processing", lifecycle.Webhook, time.Hour)
	f.record("quick", "Queued", lifecycle.History, time.Second)
	f.cover(event.GapOpened, lifecycle.LiveEvent, 10*time.Minute)
	f.lead(func(l *event.Leader) {
		l.Budget.Used = 950
		l.Rule = &event.LeaderRule{Rule: "mkio-bridge", At: f.now, State: event.RuleMissing, Managed: true, Reason: "403"}
		l.Deliveries = &event.LeaderDeliveries{Rule: "mkio-bridge", Day: &event.LeaderDay{Since: f.now, LeaderCount: event.LeaderCount{Sent: 7, Pending: 1}}}
	})
	f.check(f.publisher.StoreUnapplied(t.Context(), lifecycle.Unapplied{Reason: lifecycle.ReasonMalformed, Body: []byte("x"), Digest: strings.Repeat("ab", 32), Length: 1, Received: f.now}))
	f.now = f.now.Add(5 * time.Second)

	got := first.Status(t.Context())
	for name, other := range map[string]*status.Reader{"a bridge that has just started": f.reader(f.bridge().Motion), "a command": f.reader(eventlog.New(f.js, names).Motion)} {
		if a, b := encode(t, got), encode(t, other.Status(t.Context())); a != b {
			t.Errorf("%s returns\n%s, want\n%s", name, b, a)
		}
	}
	v := got.Verdicts
	if v.Healthy.Level != status.Attention || v.Healthy.Do != "budget-used" {
		t.Errorf("healthy: %+v", v.Healthy)
	}
	if v.Complete.Level != status.Attention || !strings.Contains(v.Complete.Reason, "coverage of live-event in vod: not verified since ") || !strings.Contains(v.Complete.Reason, "MK.IO answered 503") {
		t.Errorf("complete: %+v", v.Complete)
	}
	if v.Late.Level != status.Critical || len(v.Late.Problems) != 2 || v.Late.Problems[1].Do != "resources-stuck" {
		t.Errorf("late: %+v", v.Late)
	}
	if n := got.Events.Total; n[lifecycle.Webhook] != 13 || n[lifecycle.Poll] != 13 || n[lifecycle.History] != 1 {
		t.Errorf("events by via: %v", n)
	}
	if r := got.Resources; len(r.Known) != 1 || r.Known[lifecycle.Job] != 14 || r.InMotion[lifecycle.Job] != 2 || len(r.Stuck) != 1 || r.Stuck[0].Resources != 1 || r.Stuck[0].Samples != 12 || !r.Stuck[0].Learned {
		t.Errorf("resources: %+v", r)
	}
	if u := got.Unapplied; u.Stored[lifecycle.ReasonMalformed] != 1 || u.LastHour[lifecycle.ReasonMalformed] != 1 || u.Stored[lifecycle.ReasonLate] != 0 {
		t.Errorf("unapplied: %+v", u)
	}
	if len(got.Gaps) != 1 || got.Gaps[0].Kind != lifecycle.LiveEvent || len(got.Projects) != 1 || got.Projects[0].Leader != "bridge-0" || got.Projects[0].Budget.Used != 950 {
		t.Errorf("gaps %+v, projects %+v", got.Gaps, got.Projects)
	}
	if p := got.Projects[0]; p.Rule == nil || p.Rule.State != event.RuleMissing || p.Rule.Reason != "403" || p.Rule.Enabled != nil ||
		p.Deliveries == nil || p.Deliveries.Day == nil || p.Deliveries.Day.Sent != 7 || p.Deliveries.Day.Pending != 1 {
		t.Errorf("project %s", encode(t, got))
	}
}

func encode(t *testing.T, s status.Status) string {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Events leave the rates after an hour, also those that a reader has counted before.
func TestRatesAreOfTheLastHour(t *testing.T) {
	f := setUp(t)
	f.now = time.Now()
	r := f.reader(f.publisher.Motion)
	f.record("ep-1", "Processing", lifecycle.Webhook, 0)
	for _, tt := range []struct {
		after time.Duration
		want  int
	}{{10 * time.Second, 1}, {59 * time.Minute, 1}, {62 * time.Minute, 0}} {
		f.now = time.Now().Add(tt.after)
		if got := r.Status(t.Context()).Events; got.Total[lifecycle.Webhook] != tt.want {
			t.Errorf("%s later: %+v", tt.after, got)
		}
	}
}

// Without a lease nobody polls, and the verdict is not calm when JetStream does not respond.
func TestTheStatusIsNotCalmWhenBlind(t *testing.T) {
	f := setUp(t)
	f.now = time.Now()
	f.cover(event.Covered, lifecycle.Job, time.Minute)
	r := f.reader(f.publisher.Motion)
	if v := r.Status(t.Context()).Verdicts.Healthy; v.Level != status.Critical || v.Do != "not-polled" {
		t.Errorf("without a lease: %+v", v)
	}
	f.check(f.js.DeleteStream(t.Context(), names.AuditStream()))
	f.now = f.now.Add(time.Minute)
	v := r.Status(t.Context()).Verdicts
	if v.Healthy.Level != status.Critical || v.Complete.Level != status.Attention || v.Late.Level != status.Attention {
		t.Errorf("without a stream: %+v", v)
	}
}
