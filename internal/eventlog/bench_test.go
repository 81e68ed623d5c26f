package eventlog_test

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/streams"
)

var benchEvents = flag.Int("events", 100_000, "how many events the log of a benchmark has")

// filledLog returns a log of jobs, half of whose events are of state Finished, on a server that is connected through a
// socket.
func filledLog(b *testing.B) (*nats.Conn, jetstream.JetStream) {
	b.Helper()
	server := brokertest.Listen(b)
	direct, own := server.Connect()
	if err := streams.Ensure(b.Context(), own, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
		b.Fatal(err)
	}
	for n := range *benchEvents {
		if _, err := own.PublishMsgAsync(benchMessage(b, n)); err != nil {
			b.Fatal(err)
		}
		if n%2000 == 0 { // limits the writes in flight
			<-own.PublishAsyncComplete()
		}
	}
	<-own.PublishAsyncComplete()
	p := publish.New(direct, own, publish.Config{Names: names, Log: slog.New(slog.DiscardHandler)})
	if err := p.Load(b.Context()); err != nil { // waits for the server to fill the bucket
		b.Fatal(err)
	}
	nc, err := nats.Connect("nats://" + server.Addr())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	return nc, js
}

// benchMessage is an event of about 1.5 KiB.
func benchMessage(b *testing.B, n int) *nats.Msg {
	b.Helper()
	key, err := lifecycle.NewKey(lifecycle.Job, "aurora-vod", "ladder-hd", fmt.Sprint("ep-", n/2))
	if err != nil {
		b.Fatal(err)
	}
	o := lifecycle.Observation{
		Key: key, State: []string{"Processing", "Finished"}[n%2], At: noon, Via: lifecycle.Webhook, Life: "b7d5e4f3", Resource: benchRecord,
		Delivery: &lifecycle.Delivery{ID: fmt.Sprint(n), Type: "MediaKind.JobFinished", Received: noon},
		Source:   "/api/v1/projects/aurora-vod/media/transforms/ladder-hd/jobs/ep-" + fmt.Sprint(n/2), Subject: "transforms/ladder-hd/jobs/ep",
	}
	var m event.Message
	encoder := event.Encoder{Names: names, BaseURL: "https://app.mk.io", MaxPayload: 1 << 20}
	if err := encoder.Encode(&m, o, nil, noon); err != nil {
		b.Fatal(err)
	}
	return &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Payload}
}

var benchRecord = []byte(`{"name":"ep","properties":{"state":"Finished","outputs":[{"label":"out","progress":100}],"description":"` + fmt.Sprintf("%0600d", 0) + `"}}`)

// BenchmarkRead reads finished jobs with a bare ordered consumer, undecoded, and decoded, and the state of all resources, of
// which there are half as many as events.
func BenchmarkRead(b *testing.B) {
	_, js := filledLog(b)
	read := func(name string, pass func() int) {
		b.Run(name, func(b *testing.B) {
			n, began := 0, time.Now()
			for b.Loop() {
				if n = pass(); n != *benchEvents/2 {
					b.Fatalf("%d events", n)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/time.Since(began).Seconds(), "events/s")
		})
	}
	log, query := eventlog.New(js, names), eventlog.Query{Kinds: []lifecycle.Kind{lifecycle.Job}, States: []string{"finished"}}
	read("bare", func() (n int) {
		consumer, err := js.OrderedConsumer(b.Context(), names.EventStream(), jetstream.OrderedConsumerConfig{FilterSubjects: []string{"mkio.job.*.*.*.finished"}})
		if err != nil {
			b.Fatal(err)
		}
		messages, err := consumer.Messages()
		if err != nil {
			b.Fatal(err)
		}
		defer messages.Stop()
		for {
			m, err := messages.Next()
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Discard.Write(m.Data())
			n++
			if meta, err := m.Metadata(); err != nil || meta.NumPending == 0 {
				return n
			}
		}
	})
	read("raw", func() (n int) {
		for r, err := range log.Raw(b.Context(), query) {
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Discard.Write(r.Payload)
			n++
		}
		return n
	})
	read("decoded", func() (n int) {
		for _, err := range log.Events(b.Context(), query) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		return n
	})
	read("state", func() (n int) {
		for _, err := range log.State(b.Context(), eventlog.Query{}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		return n
	})
}
