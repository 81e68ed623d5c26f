//go:build unix

package poll

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/streams"
)

// What a project of the benchmark has whatever its size: the resources that move, and those that a delta sweep lists.
const (
	scaleInMotion  = 200
	scaleDeltaRows = 100
)

// BenchmarkScale measures what the poller does all the time, by the number of known resources: a tick of the scheduler after
// one event ("event"), one at which nothing happened ("idle"), a delta sweep of jobs in which nothing changed ("delta"), and a
// sweep of the list below one live event in which nothing changed ("below"). Nine tenths of the resources are finished jobs.
// One in 500 is a resource of the Live API or a live event, which have a list of their children each. 200 jobs are in motion.
func BenchmarkScale(b *testing.B) {
	for _, size := range []int{1e4, 1e5, 1e6} {
		b.Run(fmt.Sprintf("known=%.0e", float64(size)), func(b *testing.B) { benchmarkScale(b, size) })
	}
}

func benchmarkScale(b *testing.B, size int) {
	b.Helper()
	p := newScaleProject(b, size)
	ctx := b.Context()
	jobs := p.lists.projectLists[0]
	below := p.lists.listBelow(scaleKey(b, lifecycle.LiveEvent, "camera-0"))
	recorded := 0
	record := func() {
		recorded++
		o := scaleObservation(scaleKey(b, lifecycle.Job, "new", fmt.Sprint(recorded)), "Finished")
		if _, err := p.scheduler.full.reporter.observer.Observe(ctx, o); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("event", func(b *testing.B) { reportMedian(b, record, func() { p.scheduler.startDue(ctx) }) })
	b.Run("idle", func(b *testing.B) { reportMedian(b, func() {}, func() { p.scheduler.startDue(ctx) }) })
	b.Run("delta", func(b *testing.B) {
		reportMedian(b, func() {}, func() {
			if err := p.scheduler.deltas.sweep(ctx, jobs, mkio.Changes, nil); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("below", func(b *testing.B) {
		reportMedian(b, func() {}, func() {
			if err := p.scheduler.full.sweep(ctx, below, mkio.Changes); err != nil {
				b.Fatal(err)
			}
		})
	})
}

// reportMedian reports the median time of an operation, which a busy machine disturbs less than the mean. prepare is called
// before each, and is not measured.
func reportMedian(b *testing.B, prepare, operation func()) {
	b.Helper()
	var took []time.Duration
	for b.Loop() {
		prepare()
		began := time.Now()
		operation()
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1000, "median-µs")
	b.ReportMetric(0, "ns/op") // the mean, with the preparation: not shown
}

// newScaleProject returns a project with a number of recorded resources, of which no list is due for a day.
func newScaleProject(tb testing.TB, size int) *project {
	tb.Helper()
	row := benchRow(tb)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/jobs") {
			_, _ = w.Write(benchPage(row, 0, scaleDeltaRows))
			return
		}
		_, _ = w.Write([]byte(`{"value":[]}`))
	}))
	tb.Cleanup(server.Close)
	client, err := mkio.NewClient(mkio.ClientConfig{BaseURL: server.URL, Token: func() string { return "any" }, PerMinute: 1e9})
	if err != nil {
		tb.Fatal(err)
	}
	log, js := scaleLog(tb, client, size)
	notes, err := js.KeyValue(tb.Context(), benchNames.NotesBucket())
	if err != nil {
		tb.Fatal(err)
	}
	kinds := []lifecycle.Kind{lifecycle.Job, lifecycle.Asset, lifecycle.LiveEvent, lifecycle.LiveAPIEvent, lifecycle.LiveOutput, lifecycle.ScheduledOperation}
	const day = 24 * time.Hour
	p := newProject(New(Config{
		Client: client, Observer: log, Log: log, Heads: log, Inventory: log, Coverage: log, Notes: notes, Kinds: kinds,
		Active: day, Sweep: day, Full: day, Logger: slog.New(slog.DiscardHandler),
	}), benchProject)
	p.coverage.load(tb.Context())
	p.lists.updateChildLists()
	now := time.Now()
	for _, l := range p.lists.all() {
		l.progress.startDeltas(now)
		l.sweepFinished(completedSweep{began: now, localBegan: now, horizon: log.Horizon()}, p.intervals)
	}
	p.scheduler.startDue(tb.Context())
	return p
}

// scaleLog returns a log with a number of resources.
func scaleLog(tb testing.TB, client *mkio.Client, size int) (*publish.Publisher, jetstream.JetStream) {
	tb.Helper()
	nc, js := brokertest.Start(tb).Connect()
	if err := streams.Ensure(tb.Context(), js, streams.Config{Names: benchNames, Replicas: 1, Create: true}); err != nil {
		tb.Fatal(err)
	}
	encoder := event.Encoder{Names: benchNames, BaseURL: "https://app.mk.io", MaxPayload: 1 << 20}
	put := func(o lifecycle.Observation) {
		var m event.Message
		if err := encoder.Encode(&m, o, nil, time.Now()); err != nil {
			tb.Fatal(err)
		}
		if _, err := js.PublishMsgAsync(&nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Payload}); err != nil {
			tb.Fatal(err)
		}
	}
	jobs := mkio.Lists(benchProject, []lifecycle.Kind{lifecycle.Job})[0]
	pages, _ := client.Pages(jobs, mkio.Filter{})
	page, err := pages.Next(tb.Context(), mkio.Sweeps, jobs)
	if err != nil || len(page.Rows) != scaleDeltaRows {
		tb.Fatal(len(page.Rows), err)
	}
	for _, row := range page.Rows {
		o := row.Observation()
		o.Via, o.SeenBefore = lifecycle.Poll, page.AsOf.To
		put(o)
	}
	for n := range size - scaleDeltaRows {
		put(scaleResource(tb, n))
		if n%4096 == 0 {
			<-js.PublishAsyncComplete()
		}
	}
	<-js.PublishAsyncComplete()
	p := publish.New(nc, js, publish.Config{Names: benchNames, Log: slog.New(slog.DiscardHandler)})
	if err := p.Load(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return p, js
}

// scaleResource returns what is recorded of the resource with a number.
func scaleResource(tb testing.TB, n int) lifecycle.Observation {
	tb.Helper()
	thousand, rest := n/1000, n%1000
	switch {
	case n < scaleInMotion:
		return scaleObservation(scaleKey(tb, lifecycle.Job, "ladder", fmt.Sprintf("moving-%06d", n)), "Processing")
	case rest == 998: // from 200 on, so that there is one even if there are few resources
		return scaleObservation(scaleKey(tb, lifecycle.LiveEvent, fmt.Sprintf("camera-%d", thousand)), "Running")
	case rest == 999:
		return scaleObservation(scaleKey(tb, lifecycle.LiveAPIEvent, fmt.Sprintf("match-%d", thousand)), "Stopped")
	case rest >= 988:
		return scaleObservation(scaleKey(tb, lifecycle.LiveOutput, fmt.Sprintf("studio-%d", thousand/10), fmt.Sprintf("dvr-%d", n)), "Running")
	case rest >= 980:
		return scaleObservation(scaleKey(tb, lifecycle.ScheduledOperation, string(lifecycle.LiveAPIEvent), fmt.Sprintf("match-%d", thousand), fmt.Sprintf("slot-%d", n)), "Completed")
	case rest >= 900:
		return scaleObservation(scaleKey(tb, lifecycle.Asset, fmt.Sprintf("asset-%08d", n)), "Ready")
	}
	return scaleObservation(scaleKey(tb, lifecycle.Job, "ladder", fmt.Sprintf("title-%08d", n)), "Finished")
}

func scaleObservation(key lifecycle.Key, state string) lifecycle.Observation {
	now := time.Now()
	source, subject, _ := mkio.Path(key)
	return lifecycle.Observation{
		Key: key, State: state, Via: lifecycle.Poll, Life: key.Name(), Modified: now, SeenBefore: now, Source: source, Subject: subject,
	}
}

func scaleKey(tb testing.TB, kind lifecycle.Kind, names ...string) lifecycle.Key {
	tb.Helper()
	key, err := lifecycle.NewKey(kind, benchProject, names...)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}
