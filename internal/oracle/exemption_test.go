package oracle

import (
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/mkiofake"
)

func TestExemption(t *testing.T) {
	key, err := lifecycle.NewKey(lifecycle.LiveChannel, mkiofake.Live, "news")
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2031, 3, 4, 12, 0, 0, 0, time.UTC)
	entry := func(sequence uint64, state string, modified, recorded time.Time, via lifecycle.Via) eventlog.LoggedEvent {
		e := eventlog.LoggedEvent{Fact: lifecycle.Fact{State: state, Life: "one", Modified: modified}}
		e.Sequence, e.Event.RecordedTime, e.Event.Data.Via = sequence, recorded, via
		return e
	}
	type story struct {
		returned  mkiofake.StaleRead
		before, e eventlog.LoggedEvent
	}
	lagging := func() story { // Running is recorded, and a replica returns Stopped with a record that did not change
		return story{
			returned: mkiofake.StaleRead{Key: key, Life: "one", State: "Stopped", At: noon.Add(time.Minute)},
			before:   entry(7, "Running", noon.Add(-time.Hour), noon, lifecycle.Webhook),
			e:        entry(8, "Stopped", noon.Add(-time.Hour), noon.Add(time.Minute+time.Second), lifecycle.Poll),
		}
	}
	for name, c := range map[string]struct {
		change func(*story)
		want   bool
	}{
		"an unchanged record":                  {func(*story) {}, true},
		"a record older than the recorded one": {func(s *story) { s.before.Fact.Modified = noon }, false},
		"not existing yet": {func(s *story) {
			s.returned.State, s.e.Fact.State, s.e.Fact.Modified = "Deleted", "Deleted", time.Time{}
		}, true},
		"returned before the recorded state": {func(s *story) { s.returned.At = noon.Add(-time.Second) }, false},
		"returned after the event":           {func(s *story) { s.returned.At = noon.Add(time.Hour) }, false},
		"an event by a webhook":              {func(s *story) { s.e.Event.Data.Via = lifecycle.Webhook }, false},
		"another life":                       {func(s *story) { s.returned.Life = "two" }, false},
		"another state":                      {func(s *story) { s.returned.State = "Starting" }, false},
		"the first event of the life":        {func(s *story) { s.before = eventlog.LoggedEvent{} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := lagging()
			c.change(&s)
			found, ok := findExemption([]mkiofake.StaleRead{s.returned}, s.before, s.e, key)
			if ok != c.want {
				t.Errorf("exempted: %v", ok)
			}
			if ok && !strings.Contains(found.String(), "event 8: a replica that lags returned") {
				t.Errorf("exemption %q", found)
			}
		})
	}
}
