package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/mkio/mkiofake"
	"mkio-bridge/internal/oracle"
	"mkio-bridge/internal/schematest"
)

// A fleet is several bridges on one JetStream, a simulated MK.IO with faults, and the links between them, in a bubble of
// virtual time.
type fleet struct {
	t          *testing.T
	fake       *mkiofake.MKIO
	recorder   *oracle.Recorder
	server     *jetstreamServer
	nats       *nats.Conn // the test's own connection, without faults
	js         jetstream.JetStream
	names      event.Names
	log        *slog.Logger
	logs       bridgetest.Buffer
	life       context.Context
	stop       context.CancelFunc
	goroutines sync.WaitGroup

	mu           sync.Mutex
	rng          *rand.Rand
	instances    []*instance
	mkioOutage   http.RoundTripper // replaces MK.IO during an outage; else nil
	nextInstance int               // receives the next delivery
	recent       []*http.Request   // the latest deliveries
	counts       map[string]int
}

// newFleet runs a bridge for each name, in a bubble.
func newFleet(t *testing.T, store string, names ...string) *fleet {
	t.Helper()
	// The server expires messages by a clock outside of the bubble: none is old when the bubble is ahead of it.
	time.Sleep(time.Until(time.Date(2100, time.March, 4, 0, 0, 0, 0, time.UTC)))
	f := &fleet{
		t: t, server: &jetstreamServer{dir: store}, names: event.NewNames(event.DefaultPrefix),
		rng: rand.New(rand.NewPCG(4, 17)), counts: map[string]int{},
	}
	f.life, f.stop = context.WithCancel(t.Context())
	f.log = slog.New(slog.NewTextHandler(&f.logs, nil))
	f.recorder = oracle.New(forwarder{})
	f.fake = mkiofake.New(mkiofake.Config{Seed: 42, Token: demoToken, Faults: mkiofake.Rude, Transport: f})
	for _, project := range []string{mkiofake.VOD, mkiofake.Live} {
		f.fake.PutRule(project, "mkio-bridge", mkiofake.Rule{
			URL: "https://bridge.test" + webhookPath, Events: mkio.Types(), SecretHeaders: map[string]string{"X-Webhook-Secret": demoSecret},
		})
	}
	if err := f.server.start(); err != nil {
		t.Fatal(err)
	}
	var err error
	if f.nats, err = nats.Connect("", nats.InProcessServer(f.server), nats.MaxReconnects(-1)); err != nil {
		t.Fatal(err)
	}
	if f.js, err = jetstream.New(f.nats); err != nil {
		t.Fatal(err)
	}
	f.expireLeases()
	for _, name := range names {
		i := newInstance(f, name, f.nextConfig(false))
		f.instances = append(f.instances, i)
		f.goroutines.Go(i.run)
	}
	return f
}

// close stops all bridges and the server.
func (f *fleet) close() {
	f.stop()
	f.mu.Lock()
	for _, i := range f.instances {
		i.end()
	}
	f.mu.Unlock()
	f.goroutines.Wait()
	f.nats.Close()
	f.server.stop()
}

// jobsPerDay is the number of MK.IO's jobs per day; other resources scale with it.
const jobsPerDay = 40

// play starts the script of some hours of MK.IO.
func (f *fleet) play(hours int) {
	now := time.Now()
	end := now.Add(time.Duration(hours) * time.Hour)
	day := draw(f, func(rng *rand.Rand) []mkiofake.Step { return mkiofake.Day(rng, now, jobsPerDay) })
	f.fake.Play(slices.DeleteFunc(day, func(s mkiofake.Step) bool { return s.At.After(end) }))
	f.goroutines.Go(func() { _ = f.fake.Run(f.life) })
}

// settle restarts all bridges with all kinds polled, and waits until MK.IO is quiet and every list was swept once more.
func (f *fleet) settle() {
	f.mu.Lock()
	last := slices.Clone(f.instances)
	f.mu.Unlock()
	for _, i := range last {
		i.end()
		f.replace(i, f.nextConfig(true))
	}
	<-f.fake.Idle()
	f.fake.SetFaults(mkiofake.Faults{})
	time.Sleep(2 * maxFullSweep)
}

func (f *fleet) count(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[what]++
}

// draw calls from with the fleet's random generator, which one goroutine may use at a time.
func draw[T any](f *fleet, from func(*rand.Rand) T) T {
	f.mu.Lock()
	defer f.mu.Unlock()
	return from(f.rng)
}

// randomDuration returns a random duration between shortest and longest.
func (f *fleet) randomDuration(shortest, longest time.Duration) time.Duration {
	return draw(f, func(rng *rand.Rand) time.Duration {
		return shortest + time.Duration(rng.Int64N(int64(longest-shortest)))
	})
}

// addCounts adds the counts of an instance to those of the fleet, after its run.
func (f *fleet) addCounts(i *instance, b *bridge) {
	families, err := b.metrics.Gather()
	if err != nil {
		f.t.Error(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "mkio_bridge_publishes_total" && m.GetLabel()[1].GetValue() == "conflict" {
				f.counts["write refused"] += int(m.GetCounter().GetValue())
			}
		}
	}
	f.counts["acknowledgement lost"] += i.link.takeLostAcks()
}

// requestMKIO sends a request to MK.IO, or to what replaces it during an outage.
func (f *fleet) requestMKIO(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	outage := f.mkioOutage
	f.mu.Unlock()
	if outage == nil {
		return f.fake.RoundTrip(r)
	}
	f.count("request to MK.IO failed")
	return outage.RoundTrip(r)
}

// check checks the log's invariants, its convergence with MK.IO, and each event's schema.
func (f *fleet) check() {
	f.t.Helper()
	log := eventlog.New(f.js, f.names)
	if err := f.recorder.Check(f.t.Context(), f.js, f.names, f.fake); err != nil {
		f.t.Error(err)
	}
	if err := oracle.CheckConverged(f.t.Context(), log, f.fake); err != nil {
		f.t.Error(err)
	}
	events := 0
	for e, err := range log.Events(f.t.Context(), eventlog.Query{}) {
		if err != nil {
			f.t.Fatal(err)
		}
		events++
		schematest.Event(f.t, e.Payload)
		for _, secret := range secrets {
			if strings.Contains(string(e.Payload), secret) {
				f.t.Errorf("%q is in event %d", secret, e.Sequence)
			}
		}
	}
	for _, secret := range secrets {
		if strings.Contains(f.logs.String(), secret) {
			f.t.Errorf("%q is in the log", secret)
		}
	}
	f.t.Logf("%d changes, %d events, deliveries by status %v", len(f.fake.Changes()), events, f.recorder.Statuses())
}

// nextConfig returns random settings for the next bridge of the fleet; bridges may differ in them.
func (f *fleet) nextConfig(allKinds bool) config {
	c := demoConfig("")
	c.NatsURL = "nats://127.0.0.1:4222" // the link replaces this address
	c.PollRate = 1000
	c.Resource = draw(f, pick("redacted", "none"))
	c.PollActive = draw(f, pick(2*time.Minute, 4*time.Minute, 6*time.Minute))
	c.PollSweep = draw(f, pick(8*time.Minute, 15*time.Minute))
	c.PollFull = draw(f, pick(30*time.Minute, maxFullSweep))
	if !allKinds && draw(f, pick(true, false)) {
		c.Kinds = kinds{lifecycle.Job, lifecycle.Asset, lifecycle.LiveEvent, lifecycle.LiveOutput}
	}
	return c
}

// maxFullSweep is the longest interval of full sweeps in the fleet.
const maxFullSweep = time.Hour

func pick[T any](from ...T) func(*rand.Rand) T {
	return func(rng *rand.Rand) T { return from[rng.IntN(len(from))] }
}
