package publish_test

import (
	"testing"

	"mkio-bridge/internal/lifecycle"
)

// polledOn is an observation of a poll that rests on a sequence.
func polledOn(k lifecycle.Key, state string, minute int, basis uint64) lifecycle.Observation {
	o := told(k, state, minute)
	o.Via, o.Delivery, o.Basis = lifecycle.Poll, nil, &basis
	return o
}

// A comparison is the decision of [publish.Publisher.Observe] on the cached head, and asks the log nothing.
func TestAComparisonUsesTheCacheAlone(t *testing.T) {
	f := setUp(t)
	p, another := f.publisher(false, nil), f.publisher(false, nil)
	channel, fresh := key(t, lifecycle.LiveChannel, "c"), key(t, lifecycle.Asset, "a")
	f.want(p, told(channel, "Running", 5), lifecycle.Changed)
	f.want(p, told(channel, "Running", 7), lifecycle.Flap) // what is older than this is stale
	f.want(another, told(fresh, "Ready", 1), lifecycle.Changed)
	for _, stream := range []string{names.EventStream(), names.StateStream()} {
		if err := f.js.DeleteStream(t.Context(), stream); err != nil {
			t.Fatal(err)
		}
	}
	other := polledOn(channel, "Stopped", 9, 1)
	other.Life = "life-2"
	for _, tt := range []struct {
		name    string
		seen    lifecycle.Observation
		want    lifecycle.Outcome
		current bool
	}{
		{"no head in the cache", polledOn(fresh, "Ready", 1, 0), lifecycle.Changed, true},
		{"no head in the cache, and one is expected", polledOn(fresh, "Ready", 1, 3), lifecycle.Changed, false},
		{"the recorded state", polledOn(channel, "Running", 5, 1), lifecycle.Repeat, true},
		{"newer", polledOn(channel, "Stopped", 8, 1), lifecycle.Changed, true},
		{"older than the recorded state was confirmed", polledOn(channel, "Stopped", 6, 1), lifecycle.Late, true},
		{"another life", other, lifecycle.Reborn, true},
		{"a head was recorded since the request", polledOn(channel, "Stopped", 8, 0), lifecycle.Late, false},
	} {
		verdict, current := p.Compare(names.Resource(tt.seen.Key), tt.seen)
		if verdict.Outcome != tt.want || current != tt.current {
			t.Errorf("%s: %s (%s), current %t, want %s, %t", tt.name, verdict.Outcome, verdict.Why, current, tt.want, tt.current)
		}
	}
}
