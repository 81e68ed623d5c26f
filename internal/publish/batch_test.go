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

// bridges returns the publishers of so many bridges on one new log.
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

// slowed returns a publisher that takes its log for one that syncs each message, and the log.
func slowed(t *testing.T) (*Publisher, jetstream.JetStream) {
	t.Helper()
	p := bridges(t, 1)[0]
	p.committer.pace.batching = true
	return p, p.js
}

// finished is a delivery that says that a job has finished.
func finished(name string) lifecycle.Observation {
	key, _ := lifecycle.NewKey(lifecycle.Job, "p", "t", name)
	at := time.Date(2031, 3, 4, 10, 0, 0, 0, time.UTC)
	return lifecycle.Observation{
		Key: key, State: "Finished", At: at, Via: lifecycle.Webhook, Source: "/s", Subject: "s",
		Delivery: &lifecycle.Delivery{ID: name, Type: "MediaKind.JobFinished", Time: at, Received: at},
	}
}

// observeAll tells of many jobs at once, and returns what became of each.
func observeAll(p *Publisher, count int) []error {
	errs := make([]error, count)
	var group sync.WaitGroup
	for i := range count {
		group.Go(func() {
			_, errs[i] = p.Observe(context.Background(), finished(fmt.Sprint("job-", i)))
		})
	}
	group.Wait()
	return errs
}

// stored returns how many messages the log has, and how many of them came in a batch.
func storedIn(t *testing.T, js jetstream.JetStream, p *Publisher) (all, batched int) {
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
			t.Errorf("event %d of %s is remembered as %+v", sequence, m.Subject, at.fact)
		}
	}
	return all, batched
}

func TestWritesGoInBatchesWhereEachIsSynced(t *testing.T) {
	p, js := slowed(t)
	for i, err := range observeAll(p, 300) {
		if err != nil {
			t.Errorf("job %d: %v", i, err)
		}
	}
	if all, batched := storedIn(t, js, p); all != 300 || batched < 200 {
		t.Errorf("%d events, %d of them in batches", all, batched)
	}
}

func TestAConflictInABatchHarmsNoNeighbour(t *testing.T) {
	p, js := slowed(t)
	other := New(p.nc, js, Config{Names: p.names, BaseURL: "https://app.mk.io", Log: slog.New(slog.DiscardHandler)})
	if _, err := other.Observe(t.Context(), finished("job-7")); err != nil { // p knows nothing of it
		t.Fatal(err)
	}
	for i, err := range observeAll(p, 100) {
		if err != nil {
			t.Errorf("job %d: %v", i, err)
		}
	}
	if all, _ := storedIn(t, js, p); all != 100 {
		t.Errorf("%d events, want one of each job", all)
	}
}

// TestAServerThatTakesNoBatches has the log refuse them: what was sent is written one by one.
func TestAServerThatTakesNoBatches(t *testing.T) {
	p, js := slowed(t)
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
	if all, batched := storedIn(t, js, p); all != 100 || batched != 0 {
		t.Errorf("%d events, %d of them in batches", all, batched)
	}
}

// TestALostAnswerOfABatch takes the answer away: everybody is told that nothing is promised, and who tells again finds
// that it is stored.
func TestALostAnswerOfABatch(t *testing.T) {
	p, js := slowed(t)
	round := roundOf(t, p, 20)
	gone, cancel := context.WithCancel(t.Context())
	cancel() // so that the last is not sent
	if _, err := p.committer.sendBatch(gone, round); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := p.nc.PublishMsg(round[len(round)-1].msg); err != nil { // nobody waits for the answer
		t.Fatal(err)
	}
	for i, err := range observeAll(p, len(round)) {
		if err != nil {
			t.Errorf("job %d: %v", i, err)
		}
	}
	if all, batched := storedIn(t, js, p); all != len(round) || batched != len(round) {
		t.Errorf("%d events, want %d; %d are of the batch", all, len(round), batched)
	}
}

// TestWhoLeavesIsNotWaitedFor has somebody leave before its round: the others' writes are made.
func TestWhoLeavesIsNotWaitedFor(t *testing.T) {
	var c committer
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	stays := &waiter{ctx: t.Context()}
	c.waiting = []*waiter{{ctx: gone}, stays, {ctx: gone}}
	if round := c.next(); len(round) != 1 || round[0] != stays || len(c.waiting) != 0 {
		t.Errorf("the round is %v, and %v wait still", round, c.waiting)
	}
}

// TestLargeWritesHoldNobodyUp has large writes on their way all the time: each is answered when the next has come.
func TestLargeWritesHoldNobodyUp(t *testing.T) {
	p, _ := slowed(t)
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
				_, _ = p.committer.send(ctx, &nats.Msg{Subject: "large", Data: make([]byte, mostInBatch+1)})
			}
		})
	}
	<-many
	if _, err := p.Observe(t.Context(), finished("job-1")); err != nil {
		t.Error(err)
	}
	stop()
	writers.Wait()
}

// TestAMessageWithoutRoomForABatchsHeaders takes as much as NATS takes in one message: it goes alone, and harms no
// neighbour.
func TestAMessageWithoutRoomForABatchsHeaders(t *testing.T) {
	for _, large := range []int{0, 7, 19} {
		p, js := slowed(t)
		round := roundOf(t, p, 20)
		msg := round[large].msg
		room := int(p.nc.MaxPayload()) - (&nats.Msg{Header: msg.Header, Data: msg.Data}).Size()
		msg.Data = append(msg.Data, make([]byte, room)...)
		p.committer.batch(round)
		for i, w := range round {
			if end := <-w.done; end.err != nil {
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

// roundOf makes a round of the ends of many jobs.
func roundOf(t *testing.T, p *Publisher, count int) []*waiter {
	t.Helper()
	round := make([]*waiter, count)
	for i := range round {
		o := finished(fmt.Sprint("job-", i))
		encoder := event.Encoder{Names: p.names, BaseURL: p.baseURL, MaxPayload: 1 << 20}
		var m event.Message
		if err := encoder.Encode(&m, o, nil, time.Now()); err != nil {
			t.Fatal(err)
		}
		m.Expect(p.names.EventStream(), p.names.Filter(p.names.Resource(o.Key)), 0)
		msg := &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Payload}
		round[i] = &waiter{t.Context(), msg, make(chan written, 1)}
	}
	return round
}
