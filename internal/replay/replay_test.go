package replay_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/replay"
	"mkio-bridge/internal/schematest"
	"mkio-bridge/internal/streams"
)

var names = event.NewNames(event.DefaultPrefix)

var noon = time.Date(2031, 3, 4, 12, 0, 0, 0, time.UTC)

// setUp returns a log with events of jobs and assets, and a stream with the subjects replay.>.
func setUp(t *testing.T, events int) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	nc, js := brokertest.Start(t).Connect()
	if err := streams.Ensure(t.Context(), js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
		t.Fatal(err)
	}
	p := publish.New(nc, js, publish.Config{Names: names, BaseURL: "https://app.mk.io", Log: slog.New(slog.DiscardHandler)})
	for n := range events {
		kind, name := lifecycle.Job, []string{"ladder", fmt.Sprint("ep.", n)}
		if n%3 == 0 {
			kind, name = lifecycle.Asset, name[1:]
		}
		key, err := lifecycle.NewKey(kind, "vod", name...)
		if err != nil {
			t.Fatal(err)
		}
		v, err := p.Observe(t.Context(), lifecycle.Observation{
			Key: key, State: "Processing", At: noon, Via: lifecycle.Webhook,
			Delivery: &lifecycle.Delivery{ID: fmt.Sprint(n), Type: "MediaKind.Test", Received: noon}, Source: "/x", Subject: "x",
		})
		if err != nil || v.Outcome != lifecycle.Changed {
			t.Fatalf("%s: %s, %v", key, v.Outcome, err)
		}
	}
	stream(t, js, "REPLAY", "replay.>")
	return nc, js
}

func stream(t *testing.T, js jetstream.JetStream, name, subjects string) jetstream.Stream {
	t.Helper()
	s, err := js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subjects}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// checkCopy checks that a stream has the events of a query under a prefix, each once, in order and unchanged, up to its last
// message. It returns their number.
func checkCopy(t *testing.T, js jetstream.JetStream, stream, prefix string, q eventlog.Query) int {
	t.Helper()
	s, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(0)
	for r, err := range eventlog.New(js, names).Raw(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		m, err := s.GetMsg(t.Context(), n)
		if err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
		if want := prefix + strings.TrimPrefix(r.Subject, "mkio"); m.Subject != want || string(m.Data) != string(r.Payload) {
			t.Errorf("message %d on %s is %s, want event %d on %s", n, m.Subject, m.Data, r.Sequence, want)
		}
		schematest.Event(t, m.Data)
		if m.Header.Get(replay.HeaderSequence) != fmt.Sprint(r.Sequence) || m.Header.Get(event.HeaderHash) != event.Hash(m.Data) ||
			m.Header.Get(event.HeaderContentType) != event.ContentType {
			t.Errorf("message %d has headers %v", n, m.Header)
		}
		if n == s.CachedInfo().State.LastSeq {
			break
		}
	}
	if last := s.CachedInfo().State.LastSeq; last != n {
		t.Errorf("%s has %d messages, of %d events", stream, last, n)
	}
	return int(n)
}

func TestReplayCopiesTheLog(t *testing.T) {
	_, js := setUp(t, 30)
	steps := 0
	c := replay.Config{Prefix: "replay", Step: func(uint64) { steps++ }}
	r, err := replay.Stored(t.Context(), js, names, c)
	if err != nil || r != (replay.Result{From: 1, Last: 30, Count: 30}) || steps != 30 {
		t.Fatalf("%+v after %d steps, %v", r, steps, err)
	}
	if n := checkCopy(t, js, "REPLAY", "replay", eventlog.Query{}); n != 30 {
		t.Errorf("%d of 30 events", n)
	}
	r, err = replay.Stored(t.Context(), js, names, c)
	if err != nil || r != (replay.Result{Last: 30}) {
		t.Errorf("again: %+v, %v", r, err)
	}
	jobs := eventlog.Query{Kinds: []lifecycle.Kind{lifecycle.Job}, From: 10, To: 20}
	stream(t, js, "JOBS", "jobs.again.>")
	if _, err := replay.Stored(t.Context(), js, names, replay.Config{Prefix: "jobs.again", Query: jobs}); err != nil {
		t.Fatal(err)
	}
	if n := checkCopy(t, js, "JOBS", "jobs.again", jobs); n != 7 {
		t.Errorf("%d of 7 jobs", n)
	}
}

// A killed replay resumes after its last event, also when that event's acknowledgement was lost.
func TestReplayResumes(t *testing.T) {
	_, js := setUp(t, 30)
	for want := 10; want <= 30; want += 10 {
		ctx, kill := context.WithCancel(t.Context())
		n := 0
		_, err := replay.Stored(ctx, js, names, replay.Config{Prefix: "replay", Rate: 10000, Step: func(uint64) {
			if n++; n == 10 {
				kill()
			}
		}})
		if want < 30 && err == nil {
			t.Error("the replay was not killed")
		}
		kill()
		if n := checkCopy(t, js, "REPLAY", "replay", eventlog.Query{}); n != want {
			t.Errorf("%d events, want %d", n, want)
		}
	}
	stream(t, js, "LOST", "lost.>")
	lossy := &lostAckJetStream{JetStream: js}
	if _, err := replay.Stored(t.Context(), lossy, names, replay.Config{Prefix: "lost"}); err != nil {
		t.Fatal(err)
	}
	if lossy.lost == 0 {
		t.Error("every write was acknowledged")
	}
	if n := checkCopy(t, js, "LOST", "lost", eventlog.Query{}); n != 30 {
		t.Errorf("%d of 30 events", n)
	}
}

// lostAckJetStream loses every third acknowledgement.
type lostAckJetStream struct {
	jetstream.JetStream
	n    int
	lost int
}

func (d *lostAckJetStream) PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	ack, err := d.JetStream.PublishMsg(ctx, m, opts...)
	if d.n++; err == nil && d.n%3 == 0 {
		d.lost++
		return nil, context.DeadlineExceeded
	}
	return ack, err
}

func TestReplayRefusals(t *testing.T) {
	_, js := setUp(t, 5)
	if _, err := replay.Stored(t.Context(), js, names, replay.Config{Prefix: "replay"}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "WORK", Subjects: []string{"work.>"}, Retention: jetstream.WorkQueuePolicy}); err != nil {
		t.Fatal(err)
	}
	stream(t, js, "OTHER", "other.>")
	if _, err := js.Publish(t.Context(), "other.x", nil); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		config replay.Config
		want   string
	}{
		{replay.Config{Prefix: "mkio"}, "the bridge's own"},
		{replay.Config{Prefix: "mkio.x"}, "the bridge's own"},
		{replay.Config{Prefix: "mkio-unapplied"}, "the bridge's own"},
		{replay.Config{Prefix: "mkio-audit.x"}, "the bridge's own"},
		{replay.Config{Prefix: "$JS.API"}, "must be tokens"},
		{replay.Config{Prefix: "a.*"}, "must be tokens"},
		{replay.Config{Prefix: "a..b"}, "must be tokens"},
		{replay.Config{Prefix: ""}, "must be tokens"},
		{replay.Config{Prefix: "nobody"}, "nats stream add"},
		{replay.Config{Prefix: "work"}, "deletes consumed messages"},
		{replay.Config{Prefix: "other"}, "was not replayed from the log"},
		{replay.Config{Prefix: "replay", Query: eventlog.Query{Kinds: []lifecycle.Kind{lifecycle.Job}}}, "holds a replay of other events"},
	} {
		if _, err := replay.Stored(t.Context(), js, names, test.config); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.config, err, test.want)
		}
	}
}

// Two replays under one prefix do not mix.
func TestTwoReplaysDoNotMix(t *testing.T) {
	defer brokertest.StartServerClock()()
	synctest.Test(t, func(t *testing.T) { // the waits are virtual
		_, js := setUp(t, 10)
		_, err := replay.Stored(t.Context(), js, names, replay.Config{Prefix: "replay", Step: func(pending uint64) {
			if pending == 5 {
				if _, err := js.Publish(t.Context(), "replay.x", nil); err != nil {
					t.Fatal(err)
				}
			}
		}})
		if err == nil {
			t.Error("the replay continued although another client published under its prefix")
		}
	})
}

func TestLive(t *testing.T) {
	nc, js := setUp(t, 10)
	messages, err := nc.SubscribeSync("live.>")
	if err != nil {
		t.Fatal(err)
	}
	r, err := replay.Live(t.Context(), nc, js, names, replay.Config{Prefix: "live", Query: eventlog.Query{From: 4}})
	if err != nil || r != (replay.Result{From: 4, Last: 10, Count: 7}) {
		t.Fatalf("%+v, %v", r, err)
	}
	for n := range 7 {
		m, err := messages.NextMsg(5 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if m.Header.Get(replay.HeaderSequence) != fmt.Sprint(n+4) {
			t.Errorf("message %d is event %s", n, m.Header.Get(replay.HeaderSequence))
		}
	}
}
