package publish

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// However the cache changes, the counts are the same as after counting all cached resources.
func TestTransitionalCountsMatchARecount(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	now := time.Now()
	words := map[lifecycle.Kind][]string{
		lifecycle.Job:         {"Queued", "Processing", "Finished"},
		lifecycle.LiveChannel: {"Pending", "Starting", "Running", "Deleting", "Deleted"},
	}
	k := newHeads(event.NewNames(event.DefaultPrefix))
	for sequence := uint64(1); sequence < 3000; sequence++ {
		kind := []lifecycle.Kind{lifecycle.Job, lifecycle.LiveChannel}[rng.IntN(2)]
		resource := fmt.Sprintf("%s.p%d.%d", kind, rng.IntN(2), rng.IntN(20))
		reached := now.Add(-time.Duration(rng.IntN(2000)) * time.Minute)
		f := &lifecycle.Fact{Sequence: sequence, State: words[kind][rng.IntN(len(words[kind]))]}
		switch rng.IntN(3) {
		case 0:
			f.At = reached
		case 1:
			f.Modified = reached
		case 2:
			f.SeenBefore = reached
		}
		switch rng.IntN(10) {
		case 0:
			k.remove(resource, k.sequence(resource))
		case 1:
			k.flapped(resource, head{fact: f, expect: sequence}, now)
		default:
			k.putIfNewer(resource, head{fact: f, expect: sequence})
		}
	}
	for kind, want := range recount(k, now) {
		for _, a := range ageBuckets {
			if got := k.transitional.atLeast(kind, a.age, now); got != want[a.label] || got == 0 {
				t.Errorf("%d of kind %s are transitional for %s, want %d", got, kind, a.label, want[a.label])
			}
		}
	}
	if n := len(k.transitional[lifecycle.LiveChannel]); n > 40 {
		t.Errorf("%d minutes are counted for 40 channels", n)
	}
	k.reset()
	if n := k.transitional.atLeast(lifecycle.Job, 0, now); n != 0 {
		t.Errorf("%d jobs are transitional though none is cached", n)
	}
}

// recount counts all cached resources.
func recount(k *heads, now time.Time) map[lifecycle.Kind]map[string]int {
	found := map[lifecycle.Kind]map[string]int{lifecycle.Job: {}, lifecycle.LiveChannel: {}}
	for name, g := range k.groups {
		for _, at := range g.living {
			since := transitionalSince(event.KindOf(name), at.head().withFlap())
			for _, a := range ageBuckets {
				if since != 0 && (a.age == 0 || since <= minute(now.Add(-a.age).Unix()/60)) {
					found[event.KindOf(name)][a.label]++
				}
			}
		}
	}
	return found
}

// A resource that may stay in its state is not transitional; a queued job is.
func TestTransitionalKindsAndStates(t *testing.T) {
	for _, c := range []struct {
		kind         lifecycle.Kind
		state        string
		transitional bool
	}{
		{lifecycle.Job, "Queued", true},
		{lifecycle.Job, "Finished", false},
		{lifecycle.Asset, "Pending", false},
		{lifecycle.LiveChannel, "Pending", false},
		{lifecycle.LiveChannel, "Starting", true},
		{lifecycle.LiveChannel, "Deleting", true},
		{lifecycle.LiveChannel, "Deleted", false},
	} {
		if got := transitionalSince(c.kind, &lifecycle.Fact{State: c.state}) != 0; got != c.transitional {
			t.Errorf("%s %s: transitional %v, want %v", c.kind, c.state, got, c.transitional)
		}
	}
}
