package oracle_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
	"mkio-bridge/internal/oracle"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/streams"
)

// Proves that the checks find violations: the log has a job that MK.IO never had, and lacks one that it has.
func TestOracleFindsStatesThatNeverWere(t *testing.T) {
	nc, js := brokertest.Start(t).Connect()
	names := event.NewNames(event.DefaultPrefix)
	if err := streams.Ensure(t.Context(), js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
		t.Fatal(err)
	}
	job := func(name string) lifecycle.Key {
		key, err := lifecycle.NewKey(lifecycle.Job, mkiofake.VOD, "ladder-hd", name)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	publisher := publish.New(nc, js, publish.Config{Names: names, BaseURL: "https://app.mk.io", Log: slog.New(slog.DiscardHandler)})
	if _, err := publisher.Observe(t.Context(), lifecycle.Observation{Key: job("never"), State: "Processing", At: time.Now(), Via: lifecycle.Poll}); err != nil {
		t.Fatal(err)
	}
	fake := mkiofake.New(mkiofake.Config{})
	log := eventlog.New(js, names)
	if err := oracle.CheckOrder(t.Context(), log, fake); err == nil || !strings.Contains(err.Error(), "I5: job aurora-vod/ladder-hd/never") ||
		!strings.Contains(err.Error(), "history of job aurora-vod/ladder-hd/never\n  log: event 1, transition 1: \"Processing\"") {
		t.Errorf("found %v", err)
	}
	fake.Create(job("else"), "Queued")
	if err := oracle.CheckConverged(t.Context(), log, fake); err == nil || !strings.Contains(err.Error(), "the log does not have it") {
		t.Errorf("found %v", err)
	}
}

// A stale response that became an event is a violation even if the state returns later, and so is a Deleted from an outage
// even if the resource is deleted afterwards.
func TestOracleFindsStatesRecordedTooEarly(t *testing.T) {
	nc, js := brokertest.Start(t).Connect()
	names := event.NewNames(event.DefaultPrefix)
	if err := streams.Ensure(t.Context(), js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
		t.Fatal(err)
	}
	live := func(name string) lifecycle.Key {
		key, err := lifecycle.NewKey(lifecycle.LiveEvent, mkiofake.Live, name)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	fake := mkiofake.New(mkiofake.Config{})
	log := eventlog.New(js, names)
	publisher := publish.New(nc, js, publish.Config{Names: names, BaseURL: "https://app.mk.io", Log: slog.New(slog.DiscardHandler)})
	record := func(key lifecycle.Key, state string, at time.Time) {
		o := lifecycle.Observation{Key: key, State: state, Life: fake.Changes()[0].Life, At: at, Via: lifecycle.Poll}
		if key == live("deleted") {
			o.Life = fake.Changes()[1].Life
		}
		if _, err := publisher.Observe(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	fake.Create(live("round"), "Stopped")
	fake.Create(live("deleted"), "Stopped")
	record(live("round"), "Stopped", time.Now())
	record(live("deleted"), "Stopped", time.Now())
	fake.Move(live("round"), "Starting")
	fake.Move(live("round"), "Running")
	record(live("round"), "Running", time.Now())
	if _, err := oracle.CheckOrderAndTime(t.Context(), log, fake); err != nil {
		t.Fatal(err)
	}
	record(live("round"), "Starting", time.Now().Add(time.Second)) // a cached response
	record(live("deleted"), lifecycle.StateDeleted, time.Now())    // an outage
	recorded := time.Now()
	bridgetest.Eventually(t, "another millisecond", func() bool { return time.Since(recorded) > 2*time.Millisecond }) // recorded times have milliseconds
	fake.Move(live("round"), "Stopped")
	fake.Move(live("round"), "Starting")
	fake.Delete(live("deleted"))
	if err := oracle.CheckOrder(t.Context(), log, fake); err != nil {
		t.Errorf("CheckOrder: %v", err)
	}
	_, err := oracle.CheckOrderAndTime(t.Context(), log, fake)
	if err == nil || strings.Count(err.Error(), "I5: ") != 2 || !strings.Contains(err.Error(), "live-event harbor-live/round, event 4") || !strings.Contains(err.Error(), "live-event harbor-live/deleted, event 5") {
		t.Errorf("found %v", err)
	}
}
