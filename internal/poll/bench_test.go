//go:build unix

package poll

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
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

var benchRows = flag.Int("rows", 100_000, "how many jobs the list of a benchmark has")

const benchProject = "aurora-vod"

var benchNames = event.NewNames(event.DefaultPrefix)

// A benchList is a list of jobs behind HTTP. Its pages are files that the kernel sends, so that serving them adds little to the
// CPU time and heap of this process.
type benchList struct {
	*httptest.Server
	dir string
}

func newBenchList(b testing.TB, rows int) benchList {
	b.Helper()
	l := benchList{dir: b.TempDir()}
	row := benchRow(b)
	for first := 0; first < rows; first += mkio.PageSize {
		if err := os.WriteFile(l.page(first), benchPage(row, first, rows), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first, _ := strconv.Atoi(r.URL.Query().Get("$skiptoken"))
		http.ServeFile(w, r, l.page(first))
	}))
	b.Cleanup(l.Close)
	return l
}

// page returns the file of the page that begins with row first.
func (l benchList) page(first int) string { return filepath.Join(l.dir, strconv.Itoa(first)+".json") }

// benchRow returns a finished job as MK.IO lists it, of about 1.4 KiB.
func benchRow(b testing.TB) string {
	b.Helper()
	raw, err := os.ReadFile("../mkio/testdata/records/job.finished.json")
	if err != nil {
		b.Fatal(err)
	}
	var record map[string]any
	if err := json.Unmarshal(raw, &record); err != nil {
		b.Fatal(err)
	}
	delete(record, "supplemental") // which a list has once
	properties := record["properties"].(map[string]any)
	outputs := properties["outputs"].([]any)
	properties["outputs"] = append(outputs, outputs[0])
	row, err := json.Marshal(record)
	if err != nil {
		b.Fatal(err)
	}
	return string(row)
}

// benchPage returns the page that begins with row first. No two rows have the same name, id and times.
func benchPage(row string, first, rows int) []byte {
	var page bytes.Buffer
	page.WriteString(`{"value":[`)
	last := min(first+mkio.PageSize, rows)
	for n := first; n < last; n++ {
		if n > first {
			page.WriteByte(',')
		}
		begin := time.Date(2026, 3, 4, 10, 0, 0, 351_891_000, time.UTC).Add(time.Duration(n) * time.Second)
		differing := strings.NewReplacer("0417", fmt.Sprintf("%06d", n), "d15760bb", fmt.Sprintf("%08x", n),
			"2031-03-04T10:05:12.351891Z", begin.Format(time.RFC3339Nano), "2031-03-04T10:19:36.395374Z", begin.Add(time.Hour).Format(time.RFC3339Nano))
		_, _ = differing.WriteString(&page, row)
	}
	page.WriteString(`]`)
	if last < rows {
		fmt.Fprintf(&page, `,"@odata.nextLink":"/api/v1/projects/%s/media/jobs?$skiptoken=%d"`, benchProject, last)
	}
	page.WriteString(`}`)
	return page.Bytes()
}

// benchLog returns a log that has every job of the list, as a sweep would have recorded it.
func benchLog(b testing.TB, client *mkio.Client) (*publish.Publisher, jetstream.JetStream) {
	b.Helper()
	nc, js := brokertest.Start(b).Connect()
	if err := streams.Ensure(b.Context(), js, streams.Config{Names: benchNames, Replicas: 1, Create: true}); err != nil {
		b.Fatal(err)
	}
	encoder := event.Encoder{Names: benchNames, BaseURL: "https://app.mk.io", MaxPayload: 1 << 20}
	jobs := mkio.Lists(benchProject, []lifecycle.Kind{lifecycle.Job})[0]
	pages, _ := client.Pages(jobs, mkio.Filter{})
	for pages.More() {
		page, err := pages.Next(b.Context(), mkio.Sweeps, jobs)
		if err != nil {
			b.Fatal(err)
		}
		for _, row := range page.Rows {
			o := row.Observation()
			o.Via, o.SeenBefore = lifecycle.Poll, page.AsOf.To
			row.AddRecord(&o)
			var m event.Message
			if err := encoder.Encode(&m, o, nil, time.Now()); err != nil {
				b.Fatal(err)
			}
			if _, err := js.PublishMsgAsync(&nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Payload}); err != nil {
				b.Fatal(err)
			}
		}
		<-js.PublishAsyncComplete()
	}
	p := publish.New(nc, js, publish.Config{Names: benchNames, Log: slog.New(slog.DiscardHandler)})
	if err := p.Load(b.Context()); err != nil {
		b.Fatal(err)
	}
	return p, js
}

// benchSweeper returns a project whose poller sweeps the list.
func benchSweeper(b testing.TB, l benchList) *project {
	b.Helper()
	client, err := mkio.NewClient(mkio.ClientConfig{BaseURL: l.URL, Token: func() string { return "any" }, PerMinute: 1e9})
	if err != nil {
		b.Fatal(err)
	}
	log, js := benchLog(b, client)
	notes, err := js.KeyValue(b.Context(), benchNames.NotesBucket())
	if err != nil {
		b.Fatal(err)
	}
	p := newProject(New(Config{
		Client: client, Observer: log, Log: log, Heads: log, Inventory: log, Coverage: log, Notes: notes, Kinds: []lifecycle.Kind{lifecycle.Job},
		Active: 5 * time.Second, Sweep: time.Minute, Full: time.Hour, Logger: slog.New(slog.DiscardHandler),
	}), benchProject)
	p.coverage.load(b.Context())
	return p
}

// BenchmarkSweep measures a full sweep of many unchanged jobs ("unchanged"), and how much of that is the HTTP transfer from a
// server in the same process ("transfer").
func BenchmarkSweep(b *testing.B) {
	list := newBenchList(b, *benchRows)
	p := benchSweeper(b, list)
	b.Run("transfer", func(b *testing.B) {
		costs := costOf(b)
		for b.Loop() {
			for first := 0; first < *benchRows; first += mkio.PageSize {
				response, err := http.Get(list.URL + "?$skiptoken=" + strconv.Itoa(first))
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
			}
		}
		costs()
	})
	b.Run("unchanged", func(b *testing.B) {
		before := p.eventLog.Horizon()
		costs := costOf(b)
		for b.Loop() {
			if err := p.scheduler.full.sweep(b.Context(), p.lists.projectLists[0], mkio.Sweeps); err != nil {
				b.Fatal(err)
			}
		}
		costs()
		compared := p.lists.projectLists[0].progress.lastTally().counts[lifecycle.Job]
		if compared != (counts{resources: *benchRows}) || p.eventLog.Horizon() != before {
			b.Errorf("of %d rows %+v", *benchRows, compared)
		}
	})
}

// Most rows of a sweep are unchanged, so their cost matters.
func TestAnUnchangedRowIsReportedInFewAllocations(t *testing.T) {
	const most = 4 // its token, its last event and its hash
	p := benchSweeper(t, newBenchList(t, 1))
	jobs := p.lists.projectLists[0]
	pages, _ := p.client.Pages(jobs.List, mkio.Filter{})
	page, err := pages.Next(t.Context(), mkio.Sweeps, jobs.List)
	if err != nil || len(page.Rows) != 1 {
		t.Fatal(page.Rows, err)
	}
	row, shower := page.Rows[0], p.scheduler.full.reporter.newRowReporter(t.Context(), jobs, mkio.Sweeps)
	a := request{horizon: p.eventLog.Horizon(), asOf: page.AsOf, via: lifecycle.Poll, tally: newTally(p.eventLog)}
	show := func() {
		if err := shower.report(row, p.headOf(row.Key), a); err != nil {
			t.Fatal(err)
		}
	}
	if got := testing.AllocsPerRun(100, show); got > most {
		t.Errorf("%v allocations, want at most %d", got, most)
	}
	if p.eventLog.Horizon() != a.horizon {
		t.Error("the row was recorded again")
	}
}

// costOf measures the CPU time of the process, and reports it for each row.
func costOf(b *testing.B) (report func()) {
	b.Helper()
	b.ReportAllocs()
	before := processorTime(b)
	return func() {
		b.Helper()
		took := processorTime(b) - before
		b.ReportMetric(float64(took.Nanoseconds())/float64(b.N)/float64(*benchRows)/1000, "CPU-µs/row")
	}
}

// processorTime returns the CPU time that the process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
