package eventlog_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/streams"
)

func TestPositionsOutsideTheLog(t *testing.T) {
	full := eventlog.Bounds{Stream: "MKIO_EVENTS", First: 5, Last: 7}
	for _, tt := range []struct {
		name     string
		err      error
		mentions string // "": it is inside
	}{
		{"from the first", full.CheckFrom(5), ""},
		{"from the last", full.CheckFrom(7), ""},
		{"from the next", full.CheckFrom(8), ""},
		{"from one that aged out", full.CheckFrom(4), "before the beginning of MKIO_EVENTS, which holds 5 to 7"},
		{"from a future one", full.CheckFrom(9), "past the end of MKIO_EVENTS, which holds 5 to 7"},
		{"from the largest number", full.CheckFrom(math.MaxUint64), "past the end"},
		{"after the one before the first", full.CheckAfter(4), ""},
		{"after the last", full.CheckAfter(7), ""},
		{"after one that aged out", full.CheckAfter(3), "before the beginning"},
		{"after nothing, in a log that lost its beginning", full.CheckAfter(0), "before the beginning"},
		{"after a future one", full.CheckAfter(8), "past the end"},
		{"after the largest number", full.CheckAfter(math.MaxUint64), "past the end"},
		{"from the first of a new log", eventlog.Bounds{First: 1}.CheckFrom(1), ""},
		{"from the second of a new log", eventlog.Bounds{First: 1}.CheckFrom(2), "is empty and continues with 1"},
		{"after nothing, in a new log", eventlog.Bounds{First: 1}.CheckAfter(0), ""},
		{"from the next of a log that aged out whole", eventlog.Bounds{First: 8, Last: 7}.CheckFrom(8), ""},
		{"from the last of a log that aged out whole", eventlog.Bounds{First: 8, Last: 7}.CheckFrom(7), "is empty and continues with 8"},
	} {
		switch outside := new(eventlog.OutsideError); {
		case tt.mentions == "" && tt.err == nil:
		case tt.mentions == "" || !errors.As(tt.err, &outside) || !strings.Contains(outside.Error(), tt.mentions):
			t.Errorf("%s: %v, want %q", tt.name, tt.err, tt.mentions)
		}
	}
}

func TestBounds(t *testing.T) {
	f := setUp(t)
	bounds := func() eventlog.Bounds {
		t.Helper()
		b, err := f.log.Bounds(t.Context())
		if err != nil || b.Stream != "MKIO_EVENTS" || b.Identity == "" {
			t.Fatalf("%+v, %v", b, err)
		}
		return b
	}
	if b := bounds(); b.First != 1 || b.Last != 0 {
		t.Errorf("a new log has %d to %d", b.First, b.Last)
	}
	f.states()
	if b := bounds(); b.First != 1 || b.Last != 5 {
		t.Errorf("the log has %d to %d", b.First, b.Last)
	}
	brokertest.TrimToLast(t, f.js, names.EventStream(), 2)
	if b := bounds(); b.First != 4 || b.Last != 5 {
		t.Errorf("a log whose beginning aged out has %d to %d", b.First, b.Last)
	}
}

// A log that is restored, or recreated, while it is followed has no event behind the follower's position for a long time,
// and then other events than before.
func TestFollowFailsWhenTheLogIsReplaced(t *testing.T) {
	for name, restored := range map[string]int{"and is shorter": 1, "and is longer": 9} {
		t.Run(name, func(t *testing.T) {
			defer brokertest.StartServerClock()()
			synctest.Test(t, func(t *testing.T) { followReplacedLog(t, restored) })
		})
	}
}

// followReplacedLog follows a log of five events, which is then replaced by one of restored events.
func followReplacedLog(t *testing.T, restored int) {
	t.Helper()
	f := setUp(t)
	f.states()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for r, err := range f.log.Raw(ctx, eventlog.Query{Follow: true}) {
		switch {
		case err != nil && r.Sequence == 0 && strings.Contains(err.Error(), "MKIO_EVENTS was restored or recreated while it was followed: read up to 5"):
			return
		case err != nil || r.Sequence > 5:
			t.Fatalf("event %d, %v", r.Sequence, err)
		case r.Sequence < 5:
			continue
		}
		time.Sleep(time.Minute)
		if err := f.js.DeleteStream(t.Context(), names.EventStream()); err != nil {
			t.Fatal(err)
		}
		recreated := streams.Config{Names: names, Replicas: 1, Create: true}
		if err := streams.Ensure(t.Context(), f.js, recreated); err != nil {
			t.Fatal(err)
		}
		for n := range restored {
			subject := names.Subject(names.Resource(assetKey(t, n)), "Ready")
			if _, err := f.js.Publish(t.Context(), subject, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Error("the follower still runs after an hour")
}

func assetKey(t *testing.T, n int) lifecycle.Key {
	t.Helper()
	key, err := lifecycle.NewKey(lifecycle.Asset, "vod", string(rune('a'+n)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}
