package witness_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/witness"
)

// A judge that finds nothing must prove that it can: the log has a job Processing that MK.IO never had, and lacks one
// that it has.
func TestTheWitnessFindsWhatWasNot(t *testing.T) {
	nc, js := brokertest.Start(t).Connect()
	names := event.NewNames(event.DefaultPrefix)
	if err := publish.Ensure(t.Context(), js, publish.Streams{Names: names, Replicas: 1, Create: true}); err != nil {
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
	if err := witness.AsItWas(t.Context(), log, fake); err == nil || !strings.Contains(err.Error(), "I5: job aurora-vod/ladder-hd/never") ||
		!strings.Contains(err.Error(), "history of job aurora-vod/ladder-hd/never\n  log: event 1, transition 1: \"Processing\"") {
		t.Errorf("found %v", err)
	}
	fake.Create(job("else"), "Queued")
	if err := witness.Converged(t.Context(), log, fake); err == nil || !strings.Contains(err.Error(), "the log does not have it") {
		t.Errorf("found %v", err)
	}
}
