package mkiofake

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/lifecycle"
)

func TestDayCoversAllKindsAndStates(t *testing.T) {
	start := time.Date(2031, 3, 4, 0, 0, 0, 0, time.UTC)
	script := Day(rand.New(rand.NewPCG(1, 2)), start, 100)
	if !slices.Equal(script, Day(rand.New(rand.NewPCG(1, 2)), start, 100)) {
		t.Error("a seed does not reproduce the day")
	}
	synctest.Test(t, func(t *testing.T) {
		to := &receiver{status: 204}
		m := New(Config{Start: start, Transport: to, Speed: 60, Faults: Rude})
		run(t, m)
		for _, p := range []string{VOD, Live} {
			m.PutRule(p, "all", ruleForAllEvents("https://x.invalid"))
		}
		m.Play(script)
		m.Play(Day(rand.New(rand.NewPCG(3, 4)), start.AddDate(0, 0, 1), 100))
		<-m.Idle()
		seen := map[lifecycle.Kind]map[string]bool{}
		types := map[string]bool{}
		var last time.Time
		for _, c := range m.Changes() {
			if seen[c.Key.Kind] == nil {
				seen[c.Key.Kind] = map[string]bool{}
			}
			seen[c.Key.Kind][c.State] = true
			types[c.Type] = true
			if !c.At.After(last) {
				t.Errorf("%+v is not after the change before it", c)
			}
			last = c.At
			if phase := lifecycle.PhaseOf(c.Key.Kind, c.State, ""); phase == lifecycle.Unknown {
				t.Errorf("%s in %q", c.Key, c.State)
			}
		}
		for _, kind := range lifecycle.Kinds() {
			if kind != lifecycle.ChannelInstance && !seen[kind][lifecycle.StateDeleted] {
				t.Errorf("no %s was deleted: %v", kind, seen[kind])
			}
		}
		for _, state := range []string{"", "Pending", "Allocating", "Starting", "Running", "Stopping", "Stopped", "UnableToStart"} {
			if !seen[lifecycle.LiveChannel][state] {
				t.Errorf("no channel was %q", state)
			}
		}
		for _, typ := range EventTypes() {
			if !types[typ] {
				t.Errorf("no change of type %s", typ)
			}
		}
		if took := time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); took > 55*time.Minute {
			t.Errorf("two days took %s", took)
		}
	})
}
