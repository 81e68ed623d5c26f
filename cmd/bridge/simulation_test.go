package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/broker"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/mkio/mkiofake"
	"mkio-bridge/internal/openapitest"
	"mkio-bridge/internal/oracle"
	"mkio-bridge/internal/schematest"
)

// A simulation is a simulated MK.IO with faults and a bridge on a real JetStream, in a bubble of virtual time.
type simulation struct {
	t        *testing.T
	config   config
	fake     *mkiofake.MKIO
	rng      *rand.Rand
	recorder *oracle.Recorder
	logs     bridgetest.Buffer

	mu      sync.RWMutex // read-locked by requests in flight: a stop waits for them
	bridge  *bridge      // nil while it is stopped
	stop    func()
	refused int
}

// secrets occur in requests and records, and must not occur in events and logs: the bridge's own, and those in MK.IO's
// records.
var secrets = []string{demoToken, demoSecret, "REDACT-ME"}

// simulate runs a test in a bubble, and plays some days of MK.IO.
func simulate(t *testing.T, days int, faults mkiofake.Faults, test func(s *simulation), settings ...func(*config)) {
	t.Helper()
	defer brokertest.StartServerClock()()
	store := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &simulation{t: t, config: demoConfig(store), rng: rand.New(rand.NewPCG(4, 17))}
		s.config.NatsListen = ""
		s.config.Sync = syncMode(24 * time.Hour) // never: spare the real disk
		s.config.PollActive, s.config.PollSweep, s.config.PollFull = 2*time.Minute, 10*time.Minute, 2*time.Hour
		s.config.PollRate = 1000
		s.config.DeletePatience = 15 * time.Minute // the service's default; the demo has none
		for _, set := range settings {
			set(&s.config)
		}
		s.recorder = oracle.New(s)
		s.fake = mkiofake.New(mkiofake.Config{Seed: 42, Token: demoToken, Faults: faults, Transport: s.recorder})
		s.config.transport = s.fake
		for _, project := range []string{mkiofake.VOD, mkiofake.Live} {
			s.fake.PutRule(project, s.config.WebhookRule, mkiofake.Rule{
				URL: "https://bridge.test" + webhookPath, Events: mkio.Types(), SecretHeaders: map[string]string{"X-Webhook-Secret": demoSecret},
			})
		}
		s.open()
		for day := range days {
			s.fake.Play(mkiofake.Day(s.rng, time.Now().Add(time.Hour).AddDate(0, 0, day), 8))
		}
		ctx, stop := context.WithCancel(t.Context())
		var playing sync.WaitGroup
		playing.Go(func() { _ = s.fake.Run(ctx) })
		test(s)
		stop()
		playing.Wait()
		s.close()
		for _, secret := range secrets {
			if strings.Contains(s.logs.String(), secret) {
				t.Errorf("%q is in the log", secret)
			}
		}
	})
}

func (s *simulation) open() {
	log := slog.New(slog.NewTextHandler(&s.logs, nil))
	s.createLeaseBucket()
	b, err := open(s.t.Context(), s.config, log)
	if err != nil {
		s.t.Error(err)
		return
	}
	s.bridge = b
	ctx, cancel := context.WithCancel(s.t.Context())
	var running sync.WaitGroup
	running.Go(func() { b.publisher.Follow(ctx, b.onEvent) })
	if b.poller != nil {
		running.Go(func() { b.poll(ctx) })
	}
	s.stop = func() { cancel(); running.Wait(); b.close() }
}

// createLeaseBucket creates the lease bucket before the bridge does, with a long TTL: the server expires leases by a clock
// outside of the bubble.
func (s *simulation) createLeaseBucket() {
	e, err := broker.Start(broker.EmbeddedConfig{StoreDir: s.config.StoreDir, SyncInterval: time.Hour, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		s.t.Fatal(err)
	}
	defer e.Shutdown()
	nc, err := e.Connect()
	if err != nil {
		s.t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = js.CreateKeyValue(s.t.Context(), jetstream.KeyValueConfig{Bucket: "mkio_lease", TTL: 10000 * time.Hour})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *simulation) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
	s.bridge = nil
}

// RoundTrip is a request to the bridge, without a network: a bubble has none.
func (s *simulation) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.bridge == nil {
		s.refused++
		return nil, errors.New("connection refused")
	}
	response := httptest.NewRecorder()
	openapitest.Check(s.bridge.publicRoutes()).ServeHTTP(response, r)
	return response.Result(), nil
}

// settle waits until MK.IO is quiet and every list was swept once more.
func (s *simulation) settle() {
	<-s.fake.Idle()
	s.fake.SetFaults(mkiofake.Faults{})
	time.Sleep(2 * s.config.PollFull)
}

// check checks the log's invariants, its convergence with MK.IO, and each event's schema.
func (s *simulation) check() {
	s.t.Helper()
	if err := s.recorder.Check(s.t.Context(), s.bridge.js, s.bridge.names, s.fake); err != nil {
		s.t.Error(err)
	}
	if s.bridge.poller != nil {
		if err := oracle.CheckConverged(s.t.Context(), s.bridge.events, s.fake); err != nil {
			s.t.Error(err)
		}
	}
	events := 0
	for e, err := range s.bridge.events.Events(s.t.Context(), eventlog.Query{}) {
		if err != nil {
			s.t.Fatal(err)
		}
		events++
		schematest.Event(s.t, e.Payload)
		for _, secret := range secrets {
			if strings.Contains(string(e.Payload), secret) {
				s.t.Errorf("%q is in event %d", secret, e.Sequence)
			}
		}
	}
	s.t.Logf("%d changes, deliveries by status %v, %d refused while the bridge was stopped, %d events", len(s.fake.Changes()), s.recorder.Statuses(), s.refused, events)
}

// TestADayWithLostDeliveries loses three in ten deliveries for a day, and duplicates and delays others.
func TestADayWithLostDeliveries(t *testing.T) { loseDeliveries(t, 1) }

func loseDeliveries(t *testing.T, days int) {
	t.Helper()
	faults := mkiofake.Rude
	faults.Failed, faults.Dropped = 0.15, 0.15
	faults.LateBy = 5 * time.Minute // with all retries: a delivery that is more than 15 minutes late counts as lost
	simulate(t, days, faults, func(s *simulation) {
		s.settle()
		s.check()
		s.checkRecovered()
	})
}

// checkRecovered compares the metric of recovered changes with MK.IO's count: lost deliveries whose state a poll still
// returned.
func (s *simulation) checkRecovered() {
	s.t.Helper()
	want, got := map[string]float64{}, map[string]float64{}
	for _, c := range s.fake.Changes() {
		if c.Delivery == mkiofake.Lost && c.Shown > 0 {
			want[string(c.Key.Kind)]++
		}
	}
	families, err := s.bridge.metrics.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "mkio_bridge_changes_recovered_total" {
				for _, l := range m.GetLabel() {
					if l.GetName() == "kind" && m.GetCounter().GetValue() > 0 {
						got[l.GetValue()] += m.GetCounter().GetValue()
					}
				}
			}
		}
	}
	if !maps.Equal(got, want) || len(want) == 0 {
		s.t.Errorf("%v recovered changes are counted, MK.IO has %v", got, want)
	}
}

// TestADayWithRestarts stops the bridge several times a day, while deliveries and polls are in flight, and starts it
// again some minutes later.
func TestADayWithRestarts(t *testing.T) {
	bridgetest.SkipIfShort(t)
	restartOften(t, 1)
}

func restartOften(t *testing.T, days int) {
	t.Helper()
	simulate(t, days, mkiofake.Rude, func(s *simulation) {
		for idle := s.fake.Idle(); ; {
			select {
			case <-idle:
				s.settle()
				s.check()
				return
			case <-time.After(4*time.Hour + time.Duration(s.rng.Int64N(int64(time.Hour)))):
			}
			s.close()
			time.Sleep(time.Duration(s.rng.Int64N(int64(20 * time.Minute))))
			s.mu.Lock()
			s.open()
			s.mu.Unlock()
		}
	})
}

// TestADayByWebhookAlone runs a bridge without a token: every delivered state is in the log, unless a later one was
// delivered before it.
func TestADayByWebhookAlone(t *testing.T) {
	bridgetest.SkipIfShort(t)
	deliverByWebhookAlone(t, 1)
}

func deliverByWebhookAlone(t *testing.T, days int) {
	t.Helper()
	faults := mkiofake.Rude
	faults.Failed, faults.Dropped = 0, 0
	simulate(t, days, faults, func(s *simulation) {
		s.settle()
		s.check()
		last := map[lifecycle.Key]mkiofake.Change{}
		for _, c := range s.fake.Changes() {
			if c.Type != "" {
				last[c.Key] = c
			}
		}
		kinds := map[lifecycle.Kind]bool{}
		for e, err := range s.bridge.events.State(s.t.Context(), eventlog.Query{}) {
			if err != nil {
				s.t.Fatal(err)
			}
			key, err := e.Event.Data.Key()
			if err != nil {
				s.t.Fatal(err)
			}
			kinds[key.Kind] = true
			if want := last[key]; e.Fact.State != want.State {
				s.t.Errorf("%s is recorded in %q, MK.IO delivered %q last", key, e.Fact.State, want.State)
			}
			delete(last, key)
		}
		for key, c := range last {
			s.t.Errorf("%s: nothing is recorded, MK.IO delivered %q", key, c.State)
		}
		for kind := range map[lifecycle.Kind]bool{lifecycle.Job: true, lifecycle.StreamingLocator: true, lifecycle.LiveChannel: true, lifecycle.ScheduledOperation: true} {
			if !kinds[kind] {
				s.t.Errorf("no %s was delivered", kind)
			}
		}
	}, func(c *config) { c.MkioToken = secret{} })
}
