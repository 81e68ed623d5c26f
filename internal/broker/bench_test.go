package broker_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/broker"
)

// BenchmarkPublish measures the cost of storing single messages, on a server in the same process that does not sync each.
func BenchmarkPublish(b *testing.B) {
	e, err := broker.Start(broker.EmbeddedConfig{StoreDir: b.TempDir(), SyncInterval: time.Minute, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(e.Shutdown)
	nc, err := e.Connect()
	if err != nil {
		b.Fatal(err)
	}
	js, err := broker.NewJetStream(nc)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "MKIO_EVENTS", Subjects: []string{"mkio.>"}}); err != nil {
		b.Fatal(err)
	}
	payload := make([]byte, 1500)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := js.PublishMsg(b.Context(), &nats.Msg{Subject: "mkio.a.b", Data: payload}); err != nil {
			b.Fatal(err)
		}
	}
}
