package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/streams"
)

// bridges returns the publishers of count bridges on one new log.
func bridges(t *testing.T, count int) []*Publisher {
	t.Helper()
	nc, js := brokertest.Start(t).Connect()
	names := event.NewNames(event.DefaultPrefix)
	config := streams.Config{Names: names, Replicas: 1, Create: true}
	if err := streams.Ensure(t.Context(), js, config); err != nil {
		t.Fatal(err)
	}
	all := make([]*Publisher, count)
	for i := range all {
		all[i] = New(nc, js, Config{Names: names, BaseURL: "https://app.mk.io", Log: slog.New(slog.DiscardHandler), Streams: config})
	}
	return all
}

// batchingPublisher returns a publisher whose current mode is batches, and its JetStream.
func batchingPublisher(t *testing.T) (*Publisher, jetstream.JetStream) {
	t.Helper()
	p := bridges(t, 1)[0]
	p.committer.tuner.batching = true
	return p, p.js
}

// finishedJob is a delivery for a finished job.
func finishedJob(name string) lifecycle.Observation {
	key, _ := lifecycle.NewKey(lifecycle.Job, "p", "t", name)
	at := time.Date(2031, 3, 4, 10, 0, 0, 0, time.UTC)
	return lifecycle.Observation{
		Key: key, State: "Finished", At: at, Via: lifecycle.Webhook, Source: "/s", Subject: "s",
		Delivery: &lifecycle.Delivery{ID: name, Type: "MediaKind.JobFinished", Time: at, Received: at},
	}
}

// observeAll observes count finished jobs at once, and returns the error of each.
func observeAll(p *Publisher, count int) []error {
	errs := make([]error, count)
	var group sync.WaitGroup
	for i := range count {
		group.Go(func() {
			_, errs[i] = p.Observe(context.Background(), finishedJob(fmt.Sprint("job-", i)))
		})
	}
	group.Wait()
	return errs
}

// storedEvents returns how many messages the log has, and how many of them came in a batch.
func storedEvents(t *testing.T, js jetstream.JetStream, p *Publisher) (all, batched int) {
	t.Helper()
	stream, err := js.Stream(t.Context(), p.names.EventStream())
	if err != nil {
		t.Fatal(err)
	}
	for sequence := uint64(1); sequence <= stream.CachedInfo().State.LastSeq; sequence++ {
		m, err := stream.GetMsg(t.Context(), sequence)
		if err != nil {
			t.Fatal(err)
		}
		all++
		if m.Header.Get(batchID) != "" {
			batched++
		}
		at := p.heads.get(event.ResourceOf(m.Subject[len(p.names.Prefix())+1:]))
		if at.fact == nil || at.fact.Sequence != sequence {
			t.Errorf("event %d of %s is cached as %+v", sequence, m.Subject, at.fact)
		}
	}
	return all, batched
}

func TestWritesAreBatchedWhereEachIsSynced(t *testing.T) {
	p, js := batchingPublisher(t)
	for i, err := range observeAll(p, 300) {
		if err != nil {
			t.Errorf("job %d: %v", i, err)
		}
	}
	if all, batched := storedEvents(t, js, p); all != 300 || batched < 200 {
		t.Errorf("%d events, %d of them in batches", all, batched)
	}
}

func TestConflictInABatchAffectsOneWrite(t *testing.T) {
	p, js := batchingPublisher(t)
	other := New(p.nc, js, Config{Names: p.names, BaseURL: "https://app.mk.io", Log: slog.New(slog.DiscardHandler)})
	if _, err := other.Observe(t.Context(), finishedJob("job-7")); err != nil { // not in p's cache
		t.Fatal(err)
	}
	for i, err := range observeAll(p, 100) {
		if err != nil {
			t.Errorf("job %d: %v", i, err)
		}
	}
	if all, _ := storedEvents(t, js, p); all != 100 {
		t.Errorf("%d events, want one for each job", all)
	}
}

// Where the log refuses batches, the writes are sent one by one.
func TestServerWithoutAtomicBatches(t *testing.T) {
	p, js := batchingPublisher(t)
	stream, err := js.Stream(t.Context(), p.names.EventStream())
	if err != nil {
		t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	config.AllowAtomicPublish = false
	if _, err := js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	for i, err := range observeAll(p, 100) {
		if err != nil {
			t.Errorf("job %d: %v", i, err)
		}
	}
	if all, batched := storedEvents(t, js, p); all != 100 || batched != 0 {
		t.Errorf("%d events, %d of them in batches", all, batched)
	}
}

// When the ack of a batch is lost, observing the same again finds every event stored.
func TestLostAckOfABatch(t *testing.T) {
	p, js := batchingPublisher(t)
	round := groupOf(t, p, 20)
	gone, cancel := context.WithCancel(t.Context())
	cancel() // so that the last message is not sent
	if _, err := p.committer.sendBatch(gone, round); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := p.nc.PublishMsg(round[len(round)-1].msg); err != nil { // the ack is not received
		t.Fatal(err)
	}
	for i, err := range observeAll(p, len(round)) {
		if err != nil {
			t.Errorf("job %d: %v", i, err)
		}
	}
	if all, batched := storedEvents(t, js, p); all != len(round) || batched != len(round) {
		t.Errorf("%d events, want %d; %d are of the batch", all, len(round), batched)
	}
}

// Writes whose caller has left are removed from the group; the others stay.
func TestCanceledWritesLeaveTheGroup(t *testing.T) {
	var c committer
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	stays := &pendingWrite{ctx: t.Context()}
	c.pending = []*pendingWrite{{ctx: gone}, stays, {ctx: gone}}
	if round := c.nextGroup(); len(round) != 1 || round[0] != stays || len(c.pending) != 0 {
		t.Errorf("the group is %v, still pending: %v", round, c.pending)
	}
}

// TestLargeWritesDoNotBlockBatches always has a large write in flight: each is acknowledged when the next has arrived.
func TestLargeWritesDoNotBlockBatches(t *testing.T) {
	p, _ := batchingPublisher(t)
	var last *nats.Msg
	many := make(chan struct{})
	came := 0
	_, err := p.nc.Subscribe("large", func(m *nats.Msg) {
		if last != nil {
			_ = last.Respond([]byte(`{"stream":"MKIO_EVENTS","seq":1}`))
		}
		if last, came = m, came+1; came == 3 {
			close(many)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for range 2 {
		writers.Go(func() {
			for ctx.Err() == nil {
				_, _ = p.committer.send(ctx, &nats.Msg{Subject: "large", Data: make([]byte, maxBatchedMessage+1)})
			}
		})
	}
	<-many
	if _, err := p.Observe(t.Context(), finishedJob("job-1")); err != nil {
		t.Error(err)
	}
	stop()
	writers.Wait()
}

// A message at the payload limit has no space for the headers of a batch: it is sent alone, and no other write fails.
func TestMessageTooLargeWithBatchHeaders(t *testing.T) {
	for _, large := range []int{0, 7, 19} {
		p, js := batchingPublisher(t)
		round := groupOf(t, p, 20)
		msg := round[large].msg
		padding := int(p.nc.MaxPayload()) - (&nats.Msg{Header: msg.Header, Data: msg.Data}).Size()
		msg.Data = append(msg.Data, make([]byte, padding)...)
		p.committer.commitBatch(round)
		for i, w := range round {
			if end := <-w.result; end.err != nil {
				t.Errorf("message %d is large, message %d: %v", large, i, end.err)
			}
		}
		stream, err := js.Stream(t.Context(), p.names.EventStream())
		if err != nil {
			t.Fatal(err)
		}
		if n := stream.CachedInfo().State.Msgs; n != uint64(len(round)) {
			t.Errorf("%d events, want %d", n, len(round))
		}
	}
}

// groupOf returns a group of writes of finished jobs.
func groupOf(t *testing.T, p *Publisher, count int) []*pendingWrite {
	t.Helper()
	round := make([]*pendingWrite, count)
	for i := range round {
		o := finishedJob(fmt.Sprint("job-", i))
		encoder := event.Encoder{Names: p.names, BaseURL: p.baseURL, MaxPayload: 1 << 20}
		var m event.Message
		if err := encoder.Encode(&m, o, nil, time.Now()); err != nil {
			t.Fatal(err)
		}
		m.Expect(p.names.EventStream(), p.names.Filter(p.names.Resource(o.Key)), 0)
		msg := &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Payload}
		round[i] = &pendingWrite{t.Context(), msg, make(chan writeResult, 1)}
	}
	return round
}
