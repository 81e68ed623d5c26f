package publish_test

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/streams"
)

// watched returns n publishers that follow the log and watch the streams, and their log.
func (f *fixture) watched(n int, create bool) ([]*publish.Publisher, *bridgetest.Buffer) {
	f.t.Helper()
	var all []*publish.Publisher
	var lines bridgetest.Buffer
	for range n {
		nc, js := f.server.Connect()
		p := publish.New(nc, js, publish.Config{
			Names: names, BaseURL: "https://app.mk.io", Log: slog.New(slog.NewTextHandler(&lines, nil)),
			Streams: streams.Config{Replicas: 1, Create: create}, SurveyInterval: 5 * time.Second,
		})
		if err := p.Load(f.t.Context()); err != nil {
			f.t.Fatal(err)
		}
		follow(f.t, p)
		all = append(all, p)
	}
	return all, &lines
}

func (f *fixture) delete(streams ...string) {
	f.t.Helper()
	for _, name := range streams {
		if err := f.js.DeleteStream(f.t.Context(), name); err != nil {
			f.t.Fatal(err)
		}
	}
}

func (f *fixture) notReady(p *publish.Publisher, want string) {
	f.t.Helper()
	if err := p.Ready(f.t.Context()); err == nil || !strings.Contains(err.Error(), want) {
		f.t.Errorf("Ready: %v, want %q", err, want)
	}
}

func (f *fixture) ready(p *publish.Publisher) {
	f.t.Helper()
	if err := p.Ready(f.t.Context()); err != nil {
		f.t.Errorf("not ready: %v", err)
	}
}

// Every deleted stream is recreated within seconds, by one of any number of bridges, and no event is written from heads of
// the former log.
func TestDeletedStreamsAreRecreated(t *testing.T) {
	defer brokertest.StartServerClock()()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t)
		bridges, lines := f.watched(2, true)
		a, b := bridges[0], bridges[1]
		job := key(t, lifecycle.Job, "t", "n")
		f.want(a, delivery(job, "Queued", 1), lifecycle.Changed)
		f.want(b, delivery(job, "Processing", 2), lifecycle.Changed)
		for _, name := range []string{names.UnappliedStream(), "KV_mkio_lease", "KV_mkio_bridge", names.StateStream()} {
			f.delete(name)
			time.Sleep(15 * time.Second)
			f.ready(a)
			f.ready(b)
		}
		f.wantStates("Queued", "Processing")
		if got := publish.New(f.connected(), f.js, publish.Config{Names: names, Log: slog.New(slog.DiscardHandler)}); got.Load(t.Context()) != nil || len(got.Living(lifecycle.Job, "aurora-vod")) != 1 {
			t.Error("the state bucket is not filled again")
		}

		epoch := a.Epoch()
		f.delete(names.StateStream(), names.EventStream())
		f.delivered = nil
		if _, err := f.observe(a, delivery(job, "Finished", 3)); err == nil {
			t.Error("an event was acknowledged without a log")
		}
		time.Sleep(15 * time.Second)
		f.ready(a)
		f.ready(b)
		if a.Epoch() == epoch || !lines.Contains("a new log begins") {
			t.Error("the new log is not logged")
		}
		for _, p := range bridges {
			if fact, known := p.Recorded(job); known {
				t.Errorf("%+v is still cached from the former log", fact)
			}
		}
		f.want(b, delivery(job, "Finished", 3), lifecycle.Changed)
		f.want(a, delivery(job, "Finished", 3), lifecycle.Repeat)
		f.wantStates("Finished")
	})
}

// A bridge in verify mode waits until the operator creates the streams.
func TestMissingStreamsAreNotCreatedInVerifyMode(t *testing.T) {
	defer brokertest.StartServerClock()()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t)
		bridges, _ := f.watched(1, false)
		p := bridges[0]
		job := key(t, lifecycle.Job, "t", "n")
		f.want(p, delivery(job, "Queued", 1), lifecycle.Changed)
		f.delete(names.StateStream(), names.EventStream())
		time.Sleep(time.Minute)
		f.notReady(p, "stream MKIO_EVENTS does not exist")
		if _, err := f.observe(p, delivery(job, "Processing", 2)); err == nil {
			t.Error("an event was acknowledged without a log")
		}
		f.recreate()
		time.Sleep(15 * time.Second)
		f.ready(p)
		f.want(p, delivery(job, "Processing", 2), lifecycle.Changed)
		f.wantStates("Processing")
	})
}

// When only the log was recreated, no event is written behind heads in the state bucket of the former log, until an operator
// deletes the bucket.
func TestRecreatedLogWaitsForTheOldStateBucketToBeDeleted(t *testing.T) {
	defer brokertest.StartServerClock()()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t)
		bridges, _ := f.watched(1, true)
		p := bridges[0]
		job := key(t, lifecycle.Job, "t", "n")
		f.want(p, delivery(job, "Queued", 1), lifecycle.Changed)
		f.want(p, delivery(job, "Processing", 2), lifecycle.Changed)
		time.Sleep(10 * time.Second)
		f.recreate(names.EventStream())
		if _, err := f.observe(p, delivery(job, "Finished", 3)); err == nil {
			t.Error("an event was written behind one that is not in the log")
		}
		time.Sleep(15 * time.Second)
		f.notReady(p, "delete KV_mkio_state")
		if _, err := f.observe(p, delivery(job, "Finished", 3)); err == nil {
			t.Error("an event was written behind one that is not in the log")
		}
		f.delete(names.StateStream())
		time.Sleep(15 * time.Second)
		f.ready(p)
		f.delivered = nil
		f.want(p, delivery(job, "Finished", 3), lifecycle.Changed)
		f.wantStates("Finished")
	})
}

// A changed stream setting makes the bridge not ready until it is restored. Writes that JetStream refuses meanwhile are not
// acknowledged.
func TestChangedStreamIsReportedUntilRestored(t *testing.T) {
	tests := []struct {
		name   string
		change func(*jetstream.StreamConfig)
		want   string
		stored bool
	}{
		{"other subjects", func(c *jetstream.StreamConfig) { c.Subjects = []string{"else.>"} }, "subjects is [else.>]", false},
		{"no acknowledgements", func(c *jetstream.StreamConfig) { c.NoAck = true }, "no_ack is true", false},
		{"full, and new events refused", func(c *jetstream.StreamConfig) { c.Discard, c.MaxMsgs = jetstream.DiscardNew, 1 }, "discard is DiscardNew", false},
		{"rollups", func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 5 }, "max_msgs_per_subject is 5", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer brokertest.StartServerClock()()
			synctest.Test(t, func(t *testing.T) {
				f := setUp(t)
				bridges, _ := f.watched(1, true)
				p := bridges[0]
				job := key(t, lifecycle.Job, "t", "n")
				f.want(p, delivery(job, "Queued", 1), lifecycle.Changed)
				stream, err := f.js.Stream(t.Context(), names.EventStream())
				if err != nil {
					t.Fatal(err)
				}
				was := stream.CachedInfo().Config
				other := was
				tt.change(&other)
				if _, err := f.js.UpdateStream(t.Context(), other); err != nil {
					t.Fatal(err)
				}
				processing := delivery(job, "Processing", 2)
				if _, err := f.observe(p, processing); (err == nil) != tt.stored {
					t.Errorf("a delivery: %v", err)
				}
				time.Sleep(time.Minute)
				f.notReady(p, tt.want)
				if _, err := f.js.UpdateStream(t.Context(), was); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				f.ready(p)
				if _, err := f.observe(p, processing); err != nil {
					t.Error(err)
				}
				f.wantStates("Queued", "Processing")
			})
		})
	}
}

// Readiness checks write little.
func TestReadyWritesLittle(t *testing.T) {
	f := setUp(t)
	p := f.publisher(false, nil)
	for range 200 {
		f.ready(p)
	}
	for name, most := range map[string]uint64{"KV_mkio_bridge": 10, names.EventStream(): 0} {
		stream, err := f.js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if state := stream.CachedInfo().State; state.LastSeq > most || state.Msgs > 1 {
			t.Errorf("%s: %+v", name, state)
		}
	}
}

func (f *fixture) connected() *nats.Conn {
	nc, _ := f.server.Connect()
	return nc
}
