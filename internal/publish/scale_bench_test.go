package publish

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// BenchmarkCache measures the cache of heads by the number of known resources: what an event costs that replaces a head
// ("put"), the same with a reader that asks for what changed since ("changed"), what a scrape of the metrics costs ("metrics"),
// and the memory of a resource (B/resource).
func BenchmarkCache(b *testing.B) {
	for _, size := range []int{1e4, 1e5, 1e6} {
		b.Run(fmt.Sprintf("known=%.0e", float64(size)), func(b *testing.B) { benchmarkCache(b, size) })
	}
}

func benchmarkCache(b *testing.B, size int) {
	b.Helper()
	token := func(i int) string { return fmt.Sprintf("job.aurora-vod.ladder-hd.title-%012d-abr", i) }
	before := inHeap()
	h := Heads{newHeads(event.NewNames(event.DefaultPrefix))}
	for i := range size {
		fact := jobFact(uint64(i + 1))
		h.putIfNewer(token(i), head{fact: fact, expect: fact.Sequence})
	}
	perResource := float64(inHeap()-before) / float64(size)
	next, fact := size, jobFact(1)
	put := func() string {
		resource := token(next % size)
		next++
		fact.Sequence = uint64(next)
		h.putIfNewer(resource, head{fact: fact, expect: fact.Sequence})
		return resource
	}
	b.Run("put", func(b *testing.B) {
		reportMedian(b, func() { put() })
		b.ReportMetric(perResource, "B/resource")
	})
	b.Run("changed", func(b *testing.B) {
		_, version, _ := h.Changed("aurora-vod", 0)
		reportMedian(b, func() {
			resource := put()
			var changed []string
			if changed, version, _ = h.Changed("aurora-vod", version); len(changed) != 1 || changed[0] != resource {
				b.Fatal(changed)
			}
		})
	})
	b.Run("metrics", func(b *testing.B) {
		reportMedian(b, func() {
			scraped := make(chan prometheus.Metric, 256) // more than there are
			resourceCollector{h.heads}.Collect(scraped)
		})
	})
	runtime.KeepAlive(h)
	if living, _ := h.Count(lifecycle.Job, "aurora-vod"); living != size {
		b.Errorf("%d of %d resources are cached", living, size)
	}
}

// reportMedian reports the median time of an operation, which a busy machine disturbs less than the mean.
func reportMedian(b *testing.B, operation func()) {
	b.Helper()
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		operation()
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1000, "median-µs")
	b.ReportMetric(0, "ns/op") // the mean: not shown
}
