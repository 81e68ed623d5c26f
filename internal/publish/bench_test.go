package publish_test

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mkio-bridge/internal/broker"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/streams"
)

// BenchmarkObserve writes first events of jobs, on a server that syncs each message and on one that does not, with several
// deliveries at a time. With two bridges both receive each delivery, as with two webhook rules.
func BenchmarkObserve(b *testing.B) {
	for _, sync := range []string{"each", "interval"} {
		for _, bridges := range []int{1, 2} {
			for _, writers := range []int{1, 8, 32, 128} {
				b.Run(fmt.Sprintf("sync=%s/bridges=%d/writers=%d", sync, bridges, writers), func(b *testing.B) {
					benchmarkObserve(b, publishers(b, sync == "each", bridges), writers)
				})
			}
		}
	}
}

// publishers returns the publishers of count bridges on one new server.
func publishers(b *testing.B, syncAlways bool, count int) []*publish.Publisher {
	b.Helper()
	server, err := broker.Start(broker.EmbeddedConfig{StoreDir: b.TempDir(), SyncAlways: syncAlways, SyncInterval: 2 * time.Minute, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(server.Shutdown)
	var all []*publish.Publisher
	for range count {
		nc, err := server.Connect()
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(nc.Close)
		js, err := broker.NewJetStreamInDomain(nc, "")
		if err != nil {
			b.Fatal(err)
		}
		config := streams.Config{Names: names, Replicas: 1, Create: true}
		if err := streams.Ensure(b.Context(), js, config); err != nil {
			b.Fatal(err)
		}
		p := publish.New(nc, js, publish.Config{Names: names, BaseURL: "https://app.mk.io", Log: slog.New(slog.DiscardHandler), Streams: config})
		if err := p.Load(b.Context()); err != nil {
			b.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func benchmarkObserve(b *testing.B, bridges []*publish.Publisher, writers int) {
	b.Helper()
	var next atomic.Int64
	var group sync.WaitGroup
	b.ResetTimer()
	for range writers {
		group.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				o := delivery(key(b, lifecycle.Job, "t", fmt.Sprint("job-", i)), "Finished", 1)
				var both sync.WaitGroup
				for _, p := range bridges {
					both.Go(func() {
						if _, err := p.Observe(b.Context(), o); err != nil {
							b.Error(err)
						}
					})
				}
				both.Wait()
			}
		})
	}
	group.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
}
