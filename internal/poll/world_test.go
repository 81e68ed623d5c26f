package poll_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/invariant"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/mkio/mkiofake"
	"mkio-bridge/internal/poll"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/schematest"
	"mkio-bridge/internal/streams"
)

var names = event.NewNames(event.DefaultPrefix)

const (
	project = "aurora-vod"
	secret  = "REDACT-ME" // part of every secret in the simulated MK.IO
	token   = secret + "-token"
	active  = 5 * time.Second
	sweep   = time.Minute
	full    = time.Hour
)

// A world is a simulated MK.IO and bridges that poll it, in a bubble of virtual time.
type world struct {
	t         *testing.T
	mkio      *mkiofake.MKIO
	server    brokertest.Server
	js        jetstream.JetStream
	transport transport // between bridges and MK.IO
	logs      bridgetest.Buffer
	// Of the bridges that start next:
	adopt          bool
	deletePatience time.Duration
	perMinute      int             // 0: 1000
	recheckFirst   []lifecycle.Key // passed to Recheck before polling starts
	progress       poll.ProgressStore
}

// inWorld runs a test in a bubble.
func inWorld(t *testing.T, c mkiofake.Config, test func(w *world)) {
	t.Helper()
	defer brokertest.StartServerClock()()
	synctest.Test(t, func(t *testing.T) {
		c.Token = token
		c.Projects = []string{project}
		w := &world{t: t, mkio: mkiofake.New(c), server: brokertest.Start(t)}
		w.transport.next, w.transport.token = w.mkio, token
		_, w.js = w.server.Connect()
		// The server expires keys by a clock outside of the bubble: this lease must outlast the test.
		_, err := w.js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: names.LeaseBucket(), TTL: 10000 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if err := streams.Ensure(t.Context(), w.js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = w.mkio.Run(ctx) }()
		test(w)
		stop()
		<-done
		if strings.Contains(w.logs.String(), secret) {
			t.Error("a secret is in the log")
		}
	})
}

// A bridge polls until it is stopped.
type bridge struct {
	publisher *publish.Publisher
	poller    *poll.Poller
	metrics   *prometheus.Registry
	stop      func()
}

// start starts a bridge that polls some kinds, or all.
func (w *world) start(kinds ...lifecycle.Kind) *bridge {
	w.t.Helper()
	if len(kinds) == 0 {
		kinds = slices.DeleteFunc(lifecycle.Kinds(), func(k lifecycle.Kind) bool { return k == lifecycle.ChannelInstance })
	}
	nc, js := w.server.Connect()
	log := slog.New(slog.NewTextHandler(&w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	p := publish.New(nc, js, publish.Config{Names: names, BaseURL: "https://app.mk.io", Log: log})
	if err := p.Load(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	client, err := mkio.NewClient(mkio.ClientConfig{
		BaseURL: "https://app.mk.io", Token: w.transport.currentToken, PerMinute: cmp.Or(w.perMinute, 1000), Transport: &w.transport, Log: log,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	leases, err := js.KeyValue(w.t.Context(), names.LeaseBucket())
	if err != nil {
		w.t.Fatal(err)
	}
	notes, err := js.KeyValue(w.t.Context(), names.NotesBucket())
	if err != nil {
		w.t.Fatal(err)
	}
	poller := poll.New(poll.Config{
		Client: client, Progress: w.progress, Observer: p, Log: p, Heads: p, Inventory: p, Coverage: p, Leases: leases, Notes: notes, Kinds: kinds,
		Active: active, Sweep: sweep, Full: full, DeletePatience: w.deletePatience, Rule: "mkio-bridge", Logger: log, Adopt: w.adopt,
		Advise: func(err error) string { return fmt.Sprintf("advice on a %d", mkio.StatusOf(err)) },
	})
	b := &bridge{publisher: p, poller: poller, metrics: prometheus.NewRegistry()}
	b.metrics.MustRegister(p.Collectors()...)
	b.metrics.MustRegister(poller.Collectors()...)
	for _, key := range w.recheckFirst {
		poller.Recheck(key)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	var running sync.WaitGroup
	running.Go(func() { poller.Run(ctx) })
	running.Go(func() {
		p.Follow(ctx, func(resource string, fact lifecycle.Fact) {
			if key, err := p.KeyOf(ctx, resource); err == nil {
				poller.OnEvent(key, fact)
			}
		})
	})
	b.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	w.t.Cleanup(b.stop)
	return b
}

// validated is how many events are validated against their schema each time the log is read.
const validated = 500

// events returns the events of each resource. It checks the chain, and validates the first events against their schema.
func (w *world) events() map[lifecycle.Key][]event.Event {
	w.t.Helper()
	found := map[lifecycle.Key][]event.Event{}
	for e, err := range eventlog.New(w.js, names).Events(w.t.Context(), eventlog.Query{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		if e.Sequence <= validated {
			schematest.Event(w.t, e.Payload)
		}
		if bytes.Contains(e.Payload, []byte(secret)) {
			w.t.Error("a secret is in an event")
		}
		key, err := e.Event.Data.Key()
		if err != nil {
			w.t.Fatal(err)
		}
		found[key] = append(found[key], e.Event)
	}
	if err := invariant.Order(w.t.Context(), w.js, names); err != nil {
		w.t.Error(err)
	}
	return found
}

// wantStates checks the recorded states of a resource.
func (w *world) wantStates(key lifecycle.Key, states ...string) {
	w.t.Helper()
	var got []string
	for _, e := range w.events()[key] {
		got = append(got, e.Data.State)
	}
	if fmt.Sprint(got) != fmt.Sprint(states) {
		w.t.Errorf("the log has %s in %v, want %v", key, got, states)
	}
}

// wantConverged checks I3: the last event of each resource has its current state in MK.IO.
func (w *world) wantConverged() {
	w.t.Helper()
	is := w.mkio.Current()
	for key, events := range w.events() {
		last := events[len(events)-1].Data
		now, exists := is[key]
		switch {
		case !exists && last.State != lifecycle.StateDeleted:
			w.t.Errorf("%s is gone, and the log has it in %q", key, last.State)
		case exists && (last.State != now.State || last.Evidence.Life != now.Life):
			w.t.Errorf("%s is in %q, and the log has it in %q", key, now.State, last.State)
		}
		delete(is, key)
	}
	for key, now := range is {
		w.t.Errorf("%s is in %q, and the log does not have it", key, now.State)
	}
}

func (w *world) key(kind lifecycle.Kind, n ...string) lifecycle.Key {
	w.t.Helper()
	k, err := lifecycle.NewKey(kind, project, n...)
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

// lives returns the states in the life of one resource of each kind.
func (w *world) lives() map[lifecycle.Key][]string {
	channel := []string{"", "Pending", "Starting", "Running", "Stopping", "Stopped", "Deleting"}
	return map[lifecycle.Key][]string{
		w.key(lifecycle.Asset, "ep 1.ä"):                                         {"Pending", "Ready"},
		w.key(lifecycle.ContentKeyPolicy, "drm"):                                 {"Creating", "Created"},
		w.key(lifecycle.Job, "t", "ep-1"):                                        {"Queued", "Scheduled", "Processing", "Canceling", "Canceled"},
		w.key(lifecycle.LiveEvent, "cam-1"):                                      {"Starting", "Running", "Stopping"},
		w.key(lifecycle.LiveOutput, "cam-1", "dvr"):                              {"Creating", "Running", "Deleting"},
		w.key(lifecycle.StreamingEndpoint, "edge"):                               {"Stopped", "Starting", "Running", "Scaling", "Running"},
		w.key(lifecycle.StreamingLocator, "pub"):                                 {"Creating", "Created"},
		w.key(lifecycle.LiveChannel, "news"):                                     channel,
		w.key(lifecycle.LiveAPIEvent, "match"):                                   channel,
		w.key(lifecycle.StaticMultiviewChannel, "wall"):                          channel,
		w.key(lifecycle.StaticMultiviewEvent, "quad"):                            channel,
		w.key(lifecycle.ScheduledOperation, "live-api-event", "match", "window"): {"Pending", "Accepted", "Ongoing", "Completed"},
		w.key(lifecycle.Storage, "aurorastore"):                                  {"Creating", "Pending", "Running"},
		w.key(lifecycle.Source, "truck"):                                         {"Inactive", "Active"},
		w.key(lifecycle.Content, "feed"):                                         {"Inactive", "Active"},
		w.key(lifecycle.Destination, "cdn"):                                      {"Inactive", "Active"},
	}
}

// awaitState waits until the log has a resource in a state.
func (w *world) awaitState(b *bridge, most time.Duration, key lifecycle.Key, state string) {
	w.t.Helper()
	began := time.Now()
	for time.Since(began) < most {
		if fact, ok := b.publisher.Recorded(key); ok && fact.State == state {
			return
		}
		time.Sleep(time.Second)
	}
	w.t.Errorf("%s is not recorded in %q within %s", key, state, most)
}

// metric returns the sum of all samples of a metric, or of those with the given label name and value.
func metric(t *testing.T, r *prometheus.Registry, name string, label ...string) (sum float64) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			counts := len(label) == 0
			for _, l := range m.GetLabel() {
				counts = counts || l.GetName() == label[0] && l.GetValue() == label[1]
			}
			if family.GetName() == name && counts {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}
