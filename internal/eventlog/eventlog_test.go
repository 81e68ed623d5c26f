package eventlog_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/schematest"
	"mkio-bridge/internal/streams"
)

var names = event.NewNames(event.DefaultPrefix)

var noon = time.Date(2031, 3, 4, 12, 0, 0, 0, time.UTC)

// A fixture is a log with a publisher to fill it.
type fixture struct {
	t         *testing.T
	js        jetstream.JetStream
	log       *eventlog.Log
	publisher *publish.Publisher
	n         int
}

func setUp(t *testing.T) *fixture {
	t.Helper()
	nc, js := brokertest.Start(t).Connect()
	if err := streams.Ensure(t.Context(), js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
		t.Fatal(err)
	}
	return &fixture{
		t: t, js: js, log: eventlog.New(js, names),
		publisher: publish.New(nc, js, publish.Config{Names: names, BaseURL: "https://app.mk.io", Log: slog.New(slog.DiscardHandler)}),
	}
}

// record records an event of a resource's state.
func (f *fixture) record(kind lifecycle.Kind, project, state string, n ...string) lifecycle.Key {
	f.t.Helper()
	key, err := lifecycle.NewKey(kind, project, n...)
	if err != nil {
		f.t.Fatal(err)
	}
	f.n++
	v, err := f.publisher.Observe(f.t.Context(), lifecycle.Observation{
		Key: key, State: state, At: noon.Add(time.Duration(f.n) * time.Minute), Via: lifecycle.Webhook,
		Delivery: &lifecycle.Delivery{ID: fmt.Sprint(f.n), Type: "MediaKind.Test", Received: noon}, Source: "/x", Subject: "x",
	})
	if err != nil || v.Outcome != lifecycle.Changed {
		f.t.Fatalf("%s: %s, %v", key, v.Outcome, err)
	}
	return key
}

// events returns the sequences of the events that match a query.
func (f *fixture) events(q eventlog.Query) string {
	f.t.Helper()
	var found []string
	for e, err := range f.log.Events(f.t.Context(), q) {
		if err != nil {
			f.t.Fatal(err)
		}
		schematest.Event(f.t, e.Payload)
		if _, state, err := names.Parse(e.Subject); err == nil && state != strings.ToLower(e.Event.Data.State) {
			f.t.Errorf("event %d of %s is on %s", e.Sequence, e.Event.Data.State, e.Subject)
		}
		found = append(found, fmt.Sprint(e.Sequence))
	}
	return strings.Join(found, " ")
}

func TestEvents(t *testing.T) {
	f := setUp(t)
	if got := f.events(eventlog.Query{}); got != "" {
		t.Errorf("an empty log has %s", got)
	}
	long := strings.Repeat("é", 300)
	job := f.record(lifecycle.Job, "vod", "Processing", "ladder", "a.b")                              // 1
	f.record(lifecycle.Job, "vod", "Finished", "ladder", "a.b")                                       // 2
	f.record(lifecycle.Asset, "vod", "Ready", "a.b")                                                  // 3
	f.record(lifecycle.Asset, "live", "", long)                                                       // 4
	operation := f.record(lifecycle.ScheduledOperation, "live", "Accepted", "live-event", "e", "a.b") // 5
	f.record(lifecycle.LiveChannel, "live", "StandBy", "finished")                                    // 6
	tests := []struct {
		name  string
		query eventlog.Query
		want  string
	}{
		{"all", eventlog.Query{}, "1 2 3 4 5 6"},
		{"a kind", eventlog.Query{Kinds: []lifecycle.Kind{lifecycle.Job}}, "1 2"},
		{"a project", eventlog.Query{Projects: []string{"live"}}, "4 5 6"},
		{"a name of any kind", eventlog.Query{Name: "a.b"}, "1 2 3 5"},
		{"a name too long for a subject", eventlog.Query{Name: long}, "4"},
		{"a state", eventlog.Query{States: []string{"finished"}}, "2"},
		{"a state in other letters", eventlog.Query{States: []string{"STANDBY"}}, "6"},
		{"kind, project, name and state", eventlog.Query{Kinds: []lifecycle.Kind{lifecycle.Job}, Projects: []string{"vod"}, Name: "a.b", States: []string{"Processing"}}, "1"},
		{"nothing", eventlog.Query{Projects: []string{"nobody"}}, ""},
		{"from a sequence", eventlog.Query{From: 4}, "4 5 6"},
		{"from a future sequence", eventlog.Query{From: 99}, ""},
		{"from a sequence, of a kind", eventlog.Query{From: 2, Kinds: []lifecycle.Kind{lifecycle.Job}}, "2"},
		{"since long ago", eventlog.Query{Since: time.Now().Add(-time.Hour)}, "1 2 3 4 5 6"},
		{"since later", eventlog.Query{Since: time.Now().Add(time.Hour)}, ""},
		{"until long ago", eventlog.Query{Until: time.Now().Add(-time.Hour)}, ""},
		{"until later", eventlog.Query{Until: time.Now().Add(time.Hour)}, "1 2 3 4 5 6"},
		{"up to a sequence", eventlog.Query{From: 2, To: 4}, "2 3 4"},
		{"up to a sequence, of a kind", eventlog.Query{To: 5, Kinds: []lifecycle.Kind{lifecycle.Job}}, "1 2"},
		{"two kinds", eventlog.Query{Kinds: []lifecycle.Kind{lifecycle.Job, lifecycle.LiveChannel}}, "1 2 6"},
		{"two projects", eventlog.Query{Projects: []string{"vod", "live"}}, "1 2 3 4 5 6"},
		{"two kinds, and a name", eventlog.Query{Kinds: []lifecycle.Kind{lifecycle.Job, lifecycle.Asset}, Projects: []string{"vod", "nobody"}, Name: "a.b"}, "1 2 3"},
		{"two states", eventlog.Query{States: []string{"FINISHED", "standby"}}, "2 6"},
		{"two states of a kind", eventlog.Query{Kinds: []lifecycle.Kind{lifecycle.Job}, States: []string{"finished", "standby"}}, "2"},
		{"one resource", eventlog.Query{Resource: &operation}, "5"},
		{"one resource and state", eventlog.Query{Resource: &job, States: []string{"finished"}}, "2"},
	}
	for _, tt := range tests {
		if got := f.events(tt.query); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestFollow(t *testing.T) {
	f := setUp(t)
	f.record(lifecycle.Asset, "vod", "Pending", "a")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var states []string
	for e, err := range f.log.Events(ctx, eventlog.Query{Follow: true}) {
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, e.Event.Data.State)
		switch len(states) {
		case 1:
			f.record(lifecycle.Asset, "vod", "Ready", "a")
		case 2:
			cancel()
		}
	}
	if got := fmt.Sprint(states); got != "[Pending Ready]" {
		t.Errorf("followed %s", got)
	}
}

// Watch yields the current state of a resource, if there is one, and then every further event.
func TestWatch(t *testing.T) {
	f := setUp(t)
	f.record(lifecycle.Asset, "vod", "Pending", "other")
	a := f.record(lifecycle.Asset, "vod", "Pending", "a")
	f.record(lifecycle.Asset, "vod", "Ready", "a")
	fill := func() { // waits until the server has filled the bucket
		if err := f.publisher.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	fill()
	watch := func(key lifecycle.Key, count int, then func(n int)) string {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var states []string
		for e, err := range f.log.Watch(ctx, key) {
			if err != nil {
				t.Error(err)
				break
			}
			states = append(states, e.Event.Data.State)
			if len(states) == count {
				cancel()
			} else {
				then(len(states))
			}
		}
		return strings.Join(states, " ")
	}
	got := watch(a, 3, func(n int) {
		f.record(lifecycle.Asset, "vod", []string{"Deleting", "Deleted"}[n-1], "a")
		f.record(lifecycle.Asset, "vod", []string{"Ready", "Deleting"}[n-1], "other")
	})
	if got != "Ready Deleting Deleted" {
		t.Errorf("watched %s", got)
	}
	b, err := lifecycle.NewKey(lifecycle.Asset, "vod", "b")
	if err != nil {
		t.Fatal(err)
	}
	fill()
	if got := watch(a, 1, nil); got != "Deleted" { // and it ends, though the context ended before it followed
		t.Errorf("watched %s", got)
	}
	watched := make(chan string)
	go func() { watched <- watch(b, 1, nil) }()
	f.record(lifecycle.Asset, "vod", "Pending", "b")
	if got := <-watched; got != "Pending" {
		t.Errorf("watched %s", got)
	}
}

func TestFollowEndsAtUntil(t *testing.T) {
	f := setUp(t)
	f.record(lifecycle.Asset, "vod", "Pending", "a")
	if got := f.events(eventlog.Query{Follow: true, Until: time.Now().Add(100 * time.Millisecond)}); got != "1" {
		t.Errorf("followed %q", got)
	}
}

func TestStateAndCurrent(t *testing.T) {
	f := setUp(t)
	job := f.record(lifecycle.Job, "vod", "Processing", "ladder", "a.b")
	f.record(lifecycle.Job, "vod", "Finished", "ladder", "a.b")
	f.record(lifecycle.Asset, "vod", "Ready", "x")
	if err := f.publisher.Load(t.Context()); err != nil { // waits for the server to fill the bucket
		t.Fatal(err)
	}
	state := func(q eventlog.Query) string {
		var found []string
		for e, err := range f.log.State(t.Context(), q) {
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, fmt.Sprintf("%d:%s:%s", e.Sequence, e.Subject, e.Event.Data.State))
		}
		return strings.Join(found, " ")
	}
	const finished, ready = "2:mkio.job.vod.ladder.a=2Eb.finished:Finished", "3:mkio.asset.vod.x.ready:Ready"
	for want, q := range map[string]eventlog.Query{
		finished + " " + ready: {},
		finished:               {Kinds: []lifecycle.Kind{lifecycle.Job}},
		ready:                  {States: []string{"ready", "pending"}},
		"":                     {States: []string{"processing"}},
	} {
		if got := state(q); got != want {
			t.Errorf("%+v: %q, want %q", q, got, want)
		}
	}
	if e, ok, err := f.log.Current(t.Context(), job); !ok || err != nil || e.Sequence != 2 || e.Event.Data.Transition != 2 {
		t.Errorf("current: %+v, %t, %v", e, ok, err)
	}
	nobody, err := lifecycle.NewKey(lifecycle.Job, "vod", "ladder", "nobody")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := f.log.Current(t.Context(), nobody); ok || err != nil {
		t.Errorf("current of an unknown job: %t, %v", ok, err)
	}
}

func TestMissingLogIsReported(t *testing.T) {
	_, js := brokertest.Start(t).Connect()
	for _, err := range eventlog.New(js, names).Events(t.Context(), eventlog.Query{}) {
		if err == nil || !strings.Contains(err.Error(), "MKIO_EVENTS does not exist") {
			t.Errorf("error %v", err)
		}
		return
	}
	t.Error("a missing log was read")
}

func TestForeignMessageIsAnError(t *testing.T) {
	_, js := brokertest.Start(t).Connect()
	if err := streams.Ensure(t.Context(), js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "mkio.asset.vod.x.ready", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	for _, err := range eventlog.New(js, names).Events(t.Context(), eventlog.Query{}) {
		if err == nil || !strings.Contains(err.Error(), "message 1") {
			t.Errorf("error %v", err)
		}
	}
}
