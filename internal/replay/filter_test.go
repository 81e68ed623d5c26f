package replay_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/replay"
)

// A replay that would silently skip events neither starts nor resumes.
func TestReplayStartsWithinTheLog(t *testing.T) {
	_, js := setUp(t, 9)
	from := func(sequence uint64) error {
		_, err := replay.Stored(t.Context(), js, names, replay.Config{Prefix: "replay", Query: eventlog.Query{From: sequence, To: 3}})
		return err
	}
	outside := new(eventlog.OutsideError)
	if err := from(11); !errors.As(err, &outside) || outside.Sequence != 11 {
		t.Errorf("past the end: %v", err)
	}
	if err := from(1); err != nil {
		t.Error(err)
	}
	brokertest.TrimToLast(t, js, names.EventStream(), 3)
	if err := from(1); !errors.As(err, &outside) || outside.Sequence != 4 || outside.Bounds.First != 7 {
		t.Errorf("after event 3, in a log that starts at 7: %v", err)
	}
	if err := from(7); err != nil {
		t.Error(err)
	}
}

// A phase, and a period by the events' own time, are part of a replay's identity: another replay must not resume after it.
func TestReplaysWithOtherFiltersDoNotMix(t *testing.T) {
	_, js := setUp(t, 6)
	choices := []eventlog.Query{
		{Phases: []lifecycle.Phase{lifecycle.Transitional}},
		{Phases: []lifecycle.Phase{lifecycle.Unknown}},
		{Phases: []lifecycle.Phase{lifecycle.Transitional, lifecycle.Unknown}},
		{Vias: []lifecycle.Via{lifecycle.Poll}},
		{Since: noon, Until: noon.Add(time.Minute), By: eventlog.ByTime},
		{Since: noon, Until: noon.Add(time.Hour), By: eventlog.ByTime},
	}
	for i, query := range choices {
		_, err := replay.Stored(t.Context(), js, names, replay.Config{Prefix: "replay", Query: query})
		if first := i == 0; first != (err == nil) || !first && !strings.Contains(err.Error(), "a replay of other events") {
			t.Errorf("%+v: %v", query, err)
		}
	}
	period := choices[4]
	period.Until = noon
	if r, err := replay.Stored(t.Context(), js, names, replay.Config{Prefix: "replay.none", Query: period}); err != nil || r.Count != 0 {
		t.Errorf("%+v: %+v, %v", period, r, err)
	}
}
