package publish_test

import (
	"testing"

	"mkio-bridge/internal/lifecycle"
)

// polledWithBasis is an observation of a poll that was compared with the event at a sequence.
func polledWithBasis(k lifecycle.Key, state string, minute int, basis uint64) lifecycle.Observation {
	o := delivery(k, state, minute)
	o.Via, o.Delivery, o.Basis = lifecycle.Poll, nil, &basis
	return o
}

// Compare decides like [publish.Publisher.Observe], by the cached head and without the log.
func TestCompareUsesTheCacheOnly(t *testing.T) {
	f := setUp(t)
	p, another := f.publisher(false, nil), f.publisher(false, nil)
	channel, fresh := key(t, lifecycle.LiveChannel, "c"), key(t, lifecycle.Asset, "a")
	f.want(p, delivery(channel, "Running", 5), lifecycle.Changed)
	f.want(p, delivery(channel, "Running", 7), lifecycle.Flap) // an older observation is out of order now
	f.want(another, delivery(fresh, "Ready", 1), lifecycle.Changed)
	for _, stream := range []string{names.EventStream(), names.StateStream()} {
		if err := f.js.DeleteStream(t.Context(), stream); err != nil {
			t.Fatal(err)
		}
	}
	other := polledWithBasis(channel, "Stopped", 9, 1)
	other.Life = "life-2"
	for _, tt := range []struct {
		name    string
		seen    lifecycle.Observation
		want    lifecycle.Outcome
		current bool
	}{
		{"no head in the cache", polledWithBasis(fresh, "Ready", 1, 0), lifecycle.Changed, true},
		{"no head in the cache, and one is expected", polledWithBasis(fresh, "Ready", 1, 3), lifecycle.Changed, false},
		{"the recorded state", polledWithBasis(channel, "Running", 5, 1), lifecycle.Repeat, true},
		{"newer", polledWithBasis(channel, "Stopped", 8, 1), lifecycle.Changed, true},
		{"older than the recorded state was confirmed", polledWithBasis(channel, "Stopped", 6, 1), lifecycle.Late, true},
		{"another life", other, lifecycle.Reborn, true},
		{"a head was recorded since the request", polledWithBasis(channel, "Stopped", 8, 0), lifecycle.Late, false},
	} {
		verdict, current := p.Compare(names.Resource(tt.seen.Key), tt.seen)
		if verdict.Outcome != tt.want || current != tt.current {
			t.Errorf("%s: %s (%s), current %t, want %s, %t", tt.name, verdict.Outcome, verdict.Why, current, tt.want, tt.current)
		}
	}
}
