package publish

import (
	"fmt"
	"slices"
	"testing"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

func TestChangedListsWhatChangedSince(t *testing.T) {
	h := Heads{newHeads(event.NewNames(event.DefaultPrefix))}
	put := func(resource string, sequence uint64) {
		h.putIfNewer(resource, head{fact: &lifecycle.Fact{Sequence: sequence, State: "Finished"}})
	}
	version := uint64(0)
	want := func(why string, listed bool, want ...string) {
		t.Helper()
		got, now, complete := h.Changed("aurora", version)
		slices.Sort(got)
		if got = slices.Compact(got); complete != listed || listed && !slices.Equal(got, want) {
			t.Errorf("%s: %q (complete: %t), want %q (%t)", why, got, complete, want, listed)
		}
		version = now
	}
	put("job.aurora.t.a", 5)
	want("a reader that asks for the first time", false)
	want("nothing happened", true)
	put("job.aurora.t.b", 7)
	put("job.aurora.t.a", 6) // behind a newer event of another resource: the tail may be later than this bridge's own events
	put("job.aurora-vod.t.a", 8)
	put("asset.aurora.a", 9)
	want("events of the project and of another", true, "asset.aurora.a", "job.aurora.t.a", "job.aurora.t.b")
	put("job.aurora.t.a", 6)
	want("an event that is cached", true)
	h.remove("job.aurora.t.b", 7)
	want("a head is removed", true, "job.aurora.t.b")
	for i := range maxChanges {
		put(fmt.Sprintf("job.aurora.t.%d", i), uint64(10+i))
	}
	if got, _, complete := h.Changed("aurora", version); !complete || len(got) != maxChanges {
		t.Errorf("%d changes are listed (complete: %t), want %d", len(got), complete, maxChanges)
	}
	put("job.aurora.t.a", 100_000)
	want("one change more than are listed", false)
	put("job.aurora.t.a", 100_001)
	want("a reader that kept up again", true, "job.aurora.t.a")
	h.reset()
	want("the cache was reset", false)
}
