package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/broker"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/invariant"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/mkio/mkiotell"
	"mkio-bridge/internal/schematest"
)

// TestAWeekOfDeliveriesWithRestarts runs the whole bridge on a real JetStream for seven days of virtual
// time, told by a rude MK.IO, and stops and reopens it twice a day, in the middle of what comes.
func TestAWeekOfDeliveriesWithRestarts(t *testing.T) {
	defer broker.HoldClock()()
	store := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := simulation{t: t, config: demoConfig(store), rng: rand.New(rand.NewPCG(4, 17))}
		s.config.NatsListen = ""
		s.config.Sync = syncMode(24 * time.Hour) // the disk is real: no need to wear it out
		s.open()
		start := time.Now()
		var changes []mkiotell.Change
		for day := range 7 {
			changes = append(changes, mkiotell.Day(s.rng, start.AddDate(0, 0, day), 12)...)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var restarts sync.WaitGroup
		restarts.Go(func() { s.restart(ctx) })
		sent := mkiotell.Sender{Post: s.post, Faults: mkiotell.Rude, Seed: 42, Start: start, Speed: 1}.Send(t.Context(), changes)
		cancel()
		restarts.Wait()
		s.check(sent)
		s.bridge.close()
		synctest.Wait()
		t.Logf("%d changes, %d deliveries, %d refused while the bridge was away, in %s", len(changes), len(sent), s.away, time.Since(start))
	})
}

// A simulation is a bridge that comes and goes on one store.
type simulation struct {
	t      *testing.T
	config config
	rng    *rand.Rand

	mu     sync.RWMutex // read-locked by requests in hand: a stop waits for them
	bridge *bridge      // nil while it is away
	away   int
}

func (s *simulation) open() {
	b, err := open(s.t.Context(), s.config, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Error(err)
		return
	}
	s.bridge = b
}

// post is a request to the bridge, without a network: a bubble has none.
func (s *simulation) post(ctx context.Context, body []byte) (int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.bridge == nil {
		s.away++
		return 0, errors.New("connection refused")
	}
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, webhookPath, bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Webhook-Secret", demoSecret)
	answer := httptest.NewRecorder()
	s.bridge.publicRoutes().ServeHTTP(answer, request)
	return answer.Code, nil
}

// restart stops the bridge every twelve hours or so, and starts it again some minutes later.
func (s *simulation) restart(ctx context.Context) {
	sleep := func(d time.Duration) bool {
		select {
		case <-time.After(d):
			return true
		case <-ctx.Done():
			return false
		}
	}
	for sleep(12*time.Hour + time.Duration(s.rng.Int64N(int64(time.Hour)))) {
		s.mu.Lock()
		s.bridge.close()
		s.bridge = nil
		s.mu.Unlock()
		sleep(time.Duration(s.rng.Int64N(int64(20 * time.Minute))))
		s.mu.Lock()
		s.open()
		s.mu.Unlock()
	}
}

// check judges the log against everything that was told.
func (s *simulation) check(sent []mkiotell.Sent) {
	s.t.Helper()
	var told []invariant.Told
	last := map[string]mkiotell.Change{}
	for _, d := range sent {
		o, err := mkio.Decoder{}.Decode(d.Body, time.Now())
		if err != nil || d.Status/100 != 2 {
			s.t.Errorf("delivery of %s: status %d, %v", d.Change.Source, d.Status, err)
			continue
		}
		told = append(told, invariant.Told{Observation: o, Body: d.Body, Status: d.Status})
		if d.Change.At.After(last[o.Key.String()].At) {
			last[o.Key.String()] = d.Change
		}
	}
	if err := invariant.Check(s.t.Context(), s.bridge.js, s.bridge.names, told); err != nil {
		s.t.Error(err)
	}
	is := map[string]string{}
	for e, err := range s.bridge.events.Events(s.t.Context(), eventlog.Query{}) {
		if err != nil {
			s.t.Fatal(err)
		}
		schematest.Event(s.t, e.Payload)
		key, err := e.Event.Data.Key()
		if err != nil {
			s.t.Fatal(err)
		}
		is[key.String()] = e.Event.Data.State
	}
	for key, change := range last {
		if is[key] != change.State {
			s.t.Errorf("%s ends in %q, MK.IO told %q last", key, is[key], change.State)
		}
	}
}
