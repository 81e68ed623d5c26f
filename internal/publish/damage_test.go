package publish_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/streams"
)

// damaged fills a store with events, stops its server, damages the log's last block, removes files of the log, and opens the
// store again.
func damaged(t *testing.T, events int, spoil func(block []byte) []byte, without ...string) *fixture {
	t.Helper()
	dir := t.TempDir()
	f := &fixture{t: t, server: brokertest.StartIn(t, dir)}
	nc, js := f.server.Connect()
	f.js = js
	if err := streams.Ensure(t.Context(), js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
		t.Fatal(err)
	}
	p := f.publisher(false, nil)
	for n := range events {
		f.want(p, delivery(key(t, lifecycle.Job, "t", fmt.Sprint(n)), "Queued", 1), lifecycle.Changed)
	}
	if err := p.Load(t.Context()); err != nil { // waits for the server to fill the bucket
		t.Fatal(err)
	}
	nc.Close()
	f.server.Shutdown()
	blocks, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", names.EventStream(), "msgs", "*.blk"))
	if err != nil || len(blocks) != 1 {
		t.Fatalf("blocks %v, %v", blocks, err)
	}
	content, err := os.ReadFile(blocks[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(blocks[0], spoil(content), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range without {
		if err := os.Remove(filepath.Join(filepath.Dir(blocks[0]), name)); err != nil {
			t.Fatal(err)
		}
	}
	f.server = brokertest.StartIn(t, dir)
	_, f.js = f.server.Connect()
	return f
}

// A record that was partly written when the machine stopped is skipped, and no event before it is lost.
func TestTornRecordLosesNoEvent(t *testing.T) {
	f := damaged(t, 20, func(block []byte) []byte { return append(block, block[:150]...) })
	p := f.publisher(false, nil)
	if err := p.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, _ := p.Count(lifecycle.Job, "aurora-vod"); n != 20 {
		t.Errorf("%d of 20 resources are cached", n)
	}
	f.want(p, delivery(key(t, lifecycle.Job, "t", "0"), "Finished", 2), lifecycle.Changed)
	if states := f.states(); len(states) != 21 {
		t.Errorf("the log has %d events", len(states))
	}
}

// cut removes the last third of a block.
func cut(block []byte) []byte { return block[:len(block)-len(block)/3] }

// A log that has lost its end without the server's knowledge is behind the state bucket: no event is written until an
// operator has decided.
func TestLogThatLostItsEndIsReported(t *testing.T) {
	f := damaged(t, 20, cut, "index.db")
	p := f.publisher(false, nil)
	err := p.Load(t.Context())
	for _, want := range []string{"lost its end", "backup", "delete KV_mkio_state"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Load: %v, want %q", err, want)
		}
	}
	f.notReady(p, "lost its end")
	f.delete(names.StateStream())
	f.recreate()
	if err := p.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	q := f.publisher(false, nil)
	f.ready(q)
	f.want(q, delivery(key(t, lifecycle.Job, "t", "19"), "Queued", 1), lifecycle.Changed)
}

// A gap in the log that the server knows is logged and counted. New events are stored behind the last events in the state
// bucket.
func TestGapInTheLogIsReported(t *testing.T) {
	f := damaged(t, 20, cut)
	var lines bridgetest.Buffer
	nc, js := f.server.Connect()
	p := publish.New(nc, js, publish.Config{Names: names, BaseURL: "https://app.mk.io", Log: slog.New(slog.NewTextHandler(&lines, nil))})
	if err := p.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !lines.Contains("its store was damaged") {
		t.Error("the gap is not logged")
	}
	if missing := gauge(t, p, "mkio_bridge_log_missing_events"); missing < 1 || missing > 19 {
		t.Errorf("%v events are missing", missing)
	}
	for _, p := range []*publish.Publisher{p, f.publisher(false, nil)} { // with a filled and with an empty cache
		f.ready(p)
		for _, name := range []string{"0", "19"} {
			if v, err := p.Observe(t.Context(), delivery(key(t, lifecycle.Job, "t", name), "Queued", 1)); err != nil || v.News() {
				t.Errorf("%s: %s, %v", name, v.Outcome, err)
			}
		}
		if err := p.Unavailable(); err != nil {
			t.Error(err)
		}
	}
	if v, err := p.Observe(t.Context(), delivery(key(t, lifecycle.Job, "t", "19"), "Finished", 2)); err != nil || !v.News() {
		t.Errorf("%s, %v", v.Outcome, err)
	}
	if fact, _ := p.Recorded(key(t, lifecycle.Job, "t", "19")); fact.Transition != 2 {
		t.Errorf("%+v is recorded", fact)
	}
}

// A state bucket that is filled again from a log that lost its end counts as complete at the log's last event.
func TestStateBucketFillsFromALogThatLostItsEnd(t *testing.T) {
	f := damaged(t, 20, cut)
	f.delete(names.StateStream())
	f.recreate()
	p := f.publisher(false, nil)
	if err := p.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.CaughtUp(t.Context()); err != nil {
		t.Error(err)
	}
}

// gauge returns the value of a gauge or counter.
func gauge(t *testing.T, p *publish.Publisher, name string) float64 {
	t.Helper()
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(p.Collectors()...)
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			m := family.GetMetric()[0]
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	t.Errorf("no metric %s", name)
	return 0
}
