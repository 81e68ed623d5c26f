package publish_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/invariant"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/schematest"
	"mkio-bridge/internal/streams"
)

var names = event.NewNames(event.DefaultPrefix)

// A fixture is a server with streams, and all observations that were given to publishers on it.
type fixture struct {
	t      *testing.T
	server brokertest.Server
	js     jetstream.JetStream

	mu        sync.Mutex
	delivered []invariant.Delivered
}

func setUp(t *testing.T) *fixture {
	t.Helper()
	return setUpWith(t, streams.Config{Names: names, Replicas: 1, Create: true})
}

func setUpWith(t *testing.T, config streams.Config) *fixture {
	t.Helper()
	f := &fixture{t: t, server: brokertest.Start(t)}
	_, f.js = f.server.Connect()
	if err := streams.Ensure(t.Context(), f.js, config); err != nil {
		t.Fatal(err)
	}
	return f
}

// publisher returns a new publisher, as of another bridge; wrap may replace its JetStream.
func (f *fixture) publisher(byArrival bool, wrap func(jetstream.JetStream) jetstream.JetStream) *publish.Publisher {
	f.t.Helper()
	nc, js := f.server.Connect()
	if wrap != nil {
		js = wrap(js)
	}
	return publish.New(nc, js, publish.Config{Names: names, BaseURL: "https://app.mk.io/", ByArrival: byArrival, Log: slog.New(slog.DiscardHandler)})
}

// observe gives a publisher an observation, and records the status that the sender of a webhook would have got.
func (f *fixture) observe(p *publish.Publisher, o lifecycle.Observation) (lifecycle.Verdict, error) {
	v, err := p.Observe(f.t.Context(), o)
	delivered := invariant.Delivered{Observation: o, Status: http.StatusNoContent}
	if err != nil || v.Outcome == lifecycle.Late || v.Outcome == lifecycle.Conflict {
		delivered.Status = 0 // not acknowledged, or for the caller to store in MKIO_UNAPPLIED
	}
	f.mu.Lock()
	f.delivered = append(f.delivered, delivered)
	f.mu.Unlock()
	return v, err
}

// want observes and checks the outcome.
func (f *fixture) want(p *publish.Publisher, o lifecycle.Observation, want lifecycle.Outcome) {
	f.t.Helper()
	if v, err := f.observe(p, o); err != nil || v.Outcome != want {
		f.t.Errorf("%s %q: %s (%s), %v, want %s", o.Key, o.State, v.Outcome, v.Why, err, want)
	}
}

// states checks all invariants and schemas, and returns the states of the log's events.
func (f *fixture) states() []string {
	f.t.Helper()
	if err := invariant.Check(f.t.Context(), f.js, names, f.delivered); err != nil {
		f.t.Error(err)
	}
	var states []string
	for e, err := range eventlog.New(f.js, names).Events(f.t.Context(), eventlog.Query{}) {
		if err != nil {
			f.t.Fatal(err)
		}
		schematest.Event(f.t, e.Payload)
		schematest.EventHeaders(f.t, headerOf(f.t, f.js, names.EventStream(), e.Sequence))
		states = append(states, e.Event.Data.State)
	}
	return states
}

func (f *fixture) wantStates(want ...string) {
	f.t.Helper()
	if got := f.states(); fmt.Sprint(got) != fmt.Sprint(want) {
		f.t.Errorf("the log has %v, want %v", got, want)
	}
}

func key(t testing.TB, kind lifecycle.Kind, n ...string) lifecycle.Key {
	t.Helper()
	k, err := lifecycle.NewKey(kind, "aurora-vod", n...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var noon = time.Date(2031, 3, 4, 12, 0, 0, 0, time.UTC)

var deliveries struct {
	sync.Mutex
	n int
}

// delivery returns a delivery with an id of its own, with MK.IO's time at a minute after noon.
func delivery(k lifecycle.Key, state string, minute int) lifecycle.Observation {
	deliveries.Lock()
	defer deliveries.Unlock()
	deliveries.n++
	return lifecycle.Observation{
		Key: k, State: state, Life: "life-1", At: noon.Add(time.Duration(minute) * time.Minute), Via: lifecycle.Webhook,
		Delivery: &lifecycle.Delivery{ID: fmt.Sprint("d-", deliveries.n), Type: "MediaKind.Test", Received: time.Now()},
		Source:   "/api/v1/projects/aurora-vod/" + k.Name(), Subject: k.Name(),
	}
}

func TestObservationsBecomeAChain(t *testing.T) {
	f := setUp(t)
	p := f.publisher(false, nil)
	job := key(t, lifecycle.Job, "ladder-hd", "ep-0417")
	started, finished := delivery(job, "Processing", 1), delivery(job, "Finished", 2)

	f.want(p, started, lifecycle.Changed)
	f.want(p, started, lifecycle.Repeat)
	f.want(p, finished, lifecycle.Changed)
	f.want(p, started, lifecycle.Repeat)
	f.want(p, delivery(job, "Queued", 0), lifecycle.Late)
	f.want(p, delivery(job, "Finished", 3), lifecycle.Flap)
	f.wantStates("Processing", "Finished")

	// Another bridge, with an empty cache, decides the same.
	q := f.publisher(false, nil)
	f.want(q, finished, lifecycle.Repeat)
	f.want(q, started, lifecycle.Repeat)
	f.wantStates("Processing", "Finished")
}

func TestRetryWithANewTimeIsADuplicateByDeliveryID(t *testing.T) {
	f := setUp(t)
	p := f.publisher(true, nil)
	channel := key(t, lifecycle.LiveChannel, "news-247")
	running := delivery(channel, "Running", 1)
	f.want(p, running, lifecycle.Changed)
	f.want(p, delivery(channel, "Stopped", 2), lifecycle.Changed)
	again := running
	again.At = noon.Add(time.Hour)
	f.want(p, again, lifecycle.Repeat)
	again.At = time.Time{}
	f.want(p, again, lifecycle.Repeat) // a Conflict that the search of the log decides
	f.wantStates("Running", "Stopped")
}

// A channel with many events must not cost more and more, and a delivery that its sender repeats is still a duplicate.
func TestRetryIsFoundAmongManyEvents(t *testing.T) {
	f := setUp(t)
	p := f.publisher(false, nil)
	channel := key(t, lifecycle.LiveChannel, "news-247")
	var retry lifecycle.Observation
	for minute := range 100 {
		running := delivery(channel, "Running", 2*minute)
		if minute == 50 {
			retry = running
		}
		f.want(p, running, lifecycle.Changed)
		f.want(p, delivery(channel, "Stopped", 2*minute+1), lifecycle.Changed)
	}
	f.want(p, retry, lifecycle.Repeat)
	f.want(p, delivery(channel, "Running", 101), lifecycle.Late) // it was Stopped then
}

func TestRetryFromAFormerLifeIsADuplicateByDeliveryID(t *testing.T) {
	f := setUp(t)
	p := f.publisher(false, nil)
	job := key(t, lifecycle.Job, "ladder-hd", "promo")
	first, second := delivery(job, "Finished", 1), delivery(job, "Processing", 9)
	second.Life, second.Created = "life-2", noon.Add(8*time.Minute)
	f.want(p, first, lifecycle.Changed)
	f.want(p, second, lifecycle.Changed)
	again := first
	again.At = noon.Add(time.Hour)
	f.want(p, again, lifecycle.Repeat)
	f.wantStates("Finished", "Deleted", "Processing")
}

func TestConflictIsOrderedByArrivalOnlyWithoutARecheck(t *testing.T) {
	f := setUp(t)
	instance := key(t, lifecycle.ChannelInstance, "studio-a") // it cannot be rechecked
	f.want(f.publisher(false, nil), delivery(instance, "Running", 1), lifecycle.Changed)
	f.want(f.publisher(false, nil), delivery(instance, "Stopped", 1), lifecycle.Changed)
	channel := key(t, lifecycle.LiveChannel, "news-247")
	f.want(f.publisher(false, nil), delivery(channel, "Running", 1), lifecycle.Changed)
	other := delivery(channel, "Stopped", 1)
	f.want(f.publisher(false, nil), other, lifecycle.Conflict)
	f.want(f.publisher(true, nil), other, lifecycle.Changed)
	f.wantStates("Running", "Stopped", "Running", "Stopped")
}

// A bridge's cache may be stale: a decision not to write must be made on the stream.
func TestStaleCacheNeitherInventsNorLosesEvents(t *testing.T) {
	f := setUp(t)
	a, b := f.publisher(false, nil), f.publisher(false, nil)
	channel := key(t, lifecycle.LiveChannel, "news-247")
	f.want(a, delivery(channel, "Running", 1), lifecycle.Changed)
	f.want(b, delivery(channel, "Stopped", 2), lifecycle.Changed)
	f.want(a, delivery(channel, "Running", 3), lifecycle.Changed) // a flap, if a trusted its cache
	f.want(b, delivery(channel, "Stopped", 2), lifecycle.Repeat)
	f.want(b, delivery(channel, "Starting", 2), lifecycle.Late)
	f.wantStates("Running", "Stopped", "Running")
}

// A flap is no event, but an observation older than it is out of order.
func TestObservationOlderThanAFlapIsOutOfOrder(t *testing.T) {
	f := setUp(t)
	p := f.publisher(true, nil)
	channel := key(t, lifecycle.LiveChannel, "news-247")
	f.want(p, delivery(channel, "Running", 10), lifecycle.Changed)
	f.want(p, delivery(channel, "Running", 30), lifecycle.Flap)
	f.want(p, delivery(channel, "Running", 20), lifecycle.Repeat)
	f.want(p, delivery(channel, "Stopped", 20), lifecycle.Late)
	f.want(p, delivery(channel, "Stopped", 40), lifecycle.Changed)
	f.want(p, delivery(channel, "Running", 35), lifecycle.Late)
	f.wantStates("Running", "Stopped")
}

func TestReusedNameStartsANewLife(t *testing.T) {
	f := setUp(t)
	p := f.publisher(false, nil)
	job := key(t, lifecycle.Job, "ladder-hd", "promo")
	first := delivery(job, "Finished", 1)
	f.want(p, first, lifecycle.Changed)
	second := delivery(job, "Processing", 9)
	second.Life, second.Created = "life-2", noon.Add(8*time.Minute)
	f.want(p, second, lifecycle.Changed)
	f.want(p, first, lifecycle.Repeat)
	f.want(p, second, lifecycle.Repeat)
	f.wantStates("Finished", "Deleted", "Processing")
}

func TestWriteFailuresBeforeAndAfterStoring(t *testing.T) {
	refused := errors.New("connection lost before it was sent")
	unanswered := errors.New("acknowledgement lost")
	reborn := delivery(key(t, lifecycle.Job, "t", "reborn"), "Queued", 9)
	reborn.Life, reborn.Created = "life-2", noon.Add(8*time.Minute)
	tests := []struct {
		name   string
		before []lifecycle.Observation // recorded beforehand
		seen   lifecycle.Observation
		want   []string
	}{
		{"a first event", nil, delivery(key(t, lifecycle.Job, "t", "first"), "Queued", 1), []string{"Queued"}},
		{
			"a next event",
			[]lifecycle.Observation{delivery(key(t, lifecycle.Job, "t", "next"), "Queued", 1)},
			delivery(key(t, lifecycle.Job, "t", "next"), "Processing", 2),
			[]string{"Queued", "Processing"},
		},
		{
			"the two events of a re-used name",
			[]lifecycle.Observation{delivery(key(t, lifecycle.Job, "t", "reborn"), "Finished", 1)},
			reborn,
			[]string{"Finished", "Deleted", "Queued"},
		},
	}
	for _, tt := range tests {
		for failing := range len(tt.want) - len(tt.before) {
			for how, spoil := range map[string]func(js jetstream.JetStream) jetstream.JetStream{
				"not stored": func(js jetstream.JetStream) jetstream.JetStream {
					return &faultyJetStream{JetStream: js, at: failing, instead: refused}
				},
				"stored but reported failed": func(js jetstream.JetStream) jetstream.JetStream {
					return &faultyJetStream{JetStream: js, at: failing, after: unanswered}
				},
			} {
				t.Run(fmt.Sprintf("%s, write %d %s", tt.name, failing+1, how), func(t *testing.T) {
					f := setUp(t)
					for _, o := range tt.before {
						f.want(f.publisher(false, nil), o, lifecycle.Changed)
					}
					p := f.publisher(false, spoil)
					if v, err := f.observe(p, tt.seen); err != nil || (v.Outcome != lifecycle.Changed && v.Outcome != lifecycle.Repeat) {
						t.Errorf("%s (%s), %v", v.Outcome, v.Why, err)
					}
					f.want(p, tt.seen, lifecycle.Repeat)
					f.wantStates(tt.want...)
				})
			}
		}
	}
}

// faultyJetStream is a JetStream whose write number at fails: it is not stored (instead), or it is stored and reported as
// failed (after).
type faultyJetStream struct {
	jetstream.JetStream
	at             int
	instead, after error

	mu     sync.Mutex
	writes int
}

func (s *faultyJetStream) PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	s.mu.Lock()
	hit := s.writes == s.at
	s.writes++
	s.mu.Unlock()
	if hit && s.instead != nil {
		return nil, s.instead
	}
	ack, err := s.JetStream.PublishMsg(ctx, m, opts...)
	if hit && s.after != nil {
		return nil, s.after
	}
	return ack, err
}

// countingJetStream is a JetStream that counts writes.
type countingJetStream struct {
	jetstream.JetStream
	writes *int
}

func (c *countingJetStream) PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	*c.writes++
	return c.JetStream.PublishMsg(ctx, m, opts...)
}

func Test200WritersOfOneTransitionLeaveOneEvent(t *testing.T) {
	f := setUp(t)
	job := key(t, lifecycle.Job, "ladder-hd", "ep-0417")
	f.want(f.publisher(false, nil), delivery(job, "Processing", 1), lifecycle.Changed)
	var publishers []*publish.Publisher
	for range 4 {
		publishers = append(publishers, f.publisher(false, nil))
	}
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range 200 {
		o := delivery(job, "Finished", 2)
		wg.Go(func() {
			<-start
			if v, err := f.observe(publishers[i%len(publishers)], o); err != nil || (v.Outcome != lifecycle.Changed && v.Outcome != lifecycle.Repeat) {
				t.Errorf("writer %d: %s, %v", i, v.Outcome, err)
			}
		})
	}
	close(start)
	wg.Wait()
	f.wantStates("Processing", "Finished")
}

func TestConcurrentResourcesEachInOrder(t *testing.T) {
	f := setUp(t)
	p := f.publisher(false, nil)
	order := []string{"Queued", "Scheduled", "Processing", "Finished"}
	var wg sync.WaitGroup
	for i := range 400 {
		job := key(t, lifecycle.Job, "ladder-hd", fmt.Sprint("ep-", i))
		wg.Go(func() {
			for minute, state := range order {
				f.want(p, delivery(job, state, minute), lifecycle.Changed)
			}
		})
	}
	wg.Wait()
	if got := f.states(); len(got) != 400*len(order) {
		t.Errorf("the log has %d events", len(got))
	}
}

// Waiting for one resource's lock must not delay the others.
func TestSlowResourceDoesNotBlockOthers(t *testing.T) {
	f := setUp(t)
	release, entered := make(chan struct{}), make(chan struct{})
	slow := f.publisher(false, func(js jetstream.JetStream) jetstream.JetStream {
		return &blockedWrite{JetStream: js, subject: "mkio.job.aurora-vod.t.slow.queued", entered: entered, release: release}
	})
	var wg sync.WaitGroup
	wg.Go(func() { f.want(slow, delivery(key(t, lifecycle.Job, "t", "slow"), "Queued", 1), lifecycle.Changed) })
	<-entered
	for i := range 30 { // within the time that a write may take
		f.want(slow, delivery(key(t, lifecycle.Job, "t", fmt.Sprint(i)), "Queued", 1), lifecycle.Changed)
	}
	close(release)
	wg.Wait()
	if got := f.states(); len(got) != 31 || got[30] != "Queued" {
		t.Errorf("the log has %d events", len(got))
	}
}

// blockedWrite is a JetStream that blocks the write to one subject until it is released.
type blockedWrite struct {
	jetstream.JetStream
	subject          string
	entered, release chan struct{}
}

func (g *blockedWrite) PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if m.Subject == g.subject {
		close(g.entered)
		<-g.release
	}
	return g.JetStream.PublishMsg(ctx, m, opts...)
}

func TestPollOlderThanARecordedWebhookIsOutOfOrder(t *testing.T) {
	f := setUp(t)
	p := f.publisher(false, nil)
	channel := key(t, lifecycle.LiveChannel, "news-247")
	f.want(p, delivery(channel, "Starting", 1), lifecycle.Changed)
	recorded, _ := p.Recorded(channel)
	basis := recorded.Sequence
	f.want(p, delivery(channel, "Running", 2), lifecycle.Changed)
	seen := lifecycle.Observation{Key: channel, State: "Starting", Via: lifecycle.Poll, Basis: &basis, SeenBefore: noon, Source: "/x", Subject: "x"}
	f.want(p, seen, lifecycle.Late)
	recorded, _ = p.Recorded(channel)
	basis = recorded.Sequence
	seen.State, seen.SeenBefore = "Stopped", noon.Add(3*time.Minute)
	f.want(p, seen, lifecycle.Changed)
	f.delivered[len(f.delivered)-1].Observation.Life = ""
	f.wantStates("Starting", "Running", "Stopped")
}

func TestObserveFailsAtOnceWithoutJetStream(t *testing.T) {
	f := setUp(t)
	p := f.publisher(false, nil)
	job := key(t, lifecycle.Job, "t", "n")
	f.want(p, delivery(job, "Queued", 1), lifecycle.Changed)
	f.server.Shutdown()
	if _, err := f.observe(p, delivery(job, "Processing", 2)); !errors.Is(err, publish.ErrUnavailable) {
		t.Errorf("Observe without JetStream: %v", err)
	}
	if err := p.StoreUnapplied(t.Context(), unapplied("body")); !errors.Is(err, publish.ErrUnavailable) {
		t.Errorf("StoreUnapplied without JetStream: %v", err)
	}
}

func TestForeignMessageInTheLogIsAnError(t *testing.T) {
	f := setUp(t)
	if _, err := f.js.Publish(t.Context(), "mkio.job.aurora-vod.t.n.queued", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	_, err := f.publisher(false, nil).Observe(t.Context(), delivery(key(t, lifecycle.Job, "t", "n"), "Processing", 1))
	if err == nil {
		t.Error("a foreign message was skipped")
	}
}
