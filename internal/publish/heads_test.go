package publish

import (
	"context"
	"slices"
	"testing"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// A head that was read from the stream may be older, by the time it is cached, than the one that the tail has cached.
func TestCacheKeepsTheNewestHead(t *testing.T) {
	const resource = "job.aurora-vod.ladder-hd.ep-0417"
	at := func(sequence uint64, state string) head {
		return head{fact: &lifecycle.Fact{Sequence: sequence, State: state}, expect: sequence}
	}
	k := newHeads(event.NewNames(event.DefaultPrefix))
	k.put(resource, at(3, "Queued"))
	k.putIfNewer(resource, at(9, "Finished"))
	k.put(resource, at(5, "Processing"))
	if got := k.get(resource); got.fact.Sequence != 9 || got.expect != 9 {
		t.Errorf("event %d is cached, want 9", got.fact.Sequence)
	}
	if len(k.groups["job.aurora-vod"].inMotion) != 0 {
		t.Error("a finished job counts as in motion")
	}
	k.flapped(resource, at(5, "Processing"), time.Now())
	k.remove(resource, 5) // the stream had no event when 5 was cached
	if got := k.get(resource); got.fact == nil || got.fact.Sequence != 9 || !got.flappedAt.IsZero() {
		t.Errorf("%+v is cached, want event 9", got)
	}
	k.remove(resource, 9)
	if got := k.get(resource); got.fact != nil {
		t.Errorf("%+v is cached", got.fact)
	}
}

// A replaced log may be detected while an event is written to it: the reset removes its head too, and the tail must cache it
// again, though it is the bridge's own.
func TestTailRestoresOwnEventAfterReset(t *testing.T) {
	p, _ := batchingPublisher(t)
	o := finishedJob("job-1")
	if _, err := p.Observe(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	p.heads.reset()
	ctx, stop := context.WithCancel(t.Context())
	p.Follow(ctx, func(string, lifecycle.Fact) { stop() })
	if fact, known := p.Recorded(o.Key); !known || fact.Sequence != 1 {
		t.Errorf("cached: %+v, want event 1", fact)
	}
}

// Living returns the resources of one kind and project only, without deleted ones.
func TestLivingListsCachedResources(t *testing.T) {
	h := Heads{newHeads(event.NewNames(event.DefaultPrefix))}
	var want []string
	for i, name := range []string{"ep-1", "ep-2", "ep 3"} {
		for _, other := range []lifecycle.Key{ladderKey(t, lifecycle.Job, "aurora", name), ladderKey(t, lifecycle.Job, "aurora-vod", name)} {
			resource := h.Token(other)
			h.putIfNewer(resource, head{fact: &lifecycle.Fact{Sequence: uint64(i + 1), State: "Finished"}})
			if fact := h.Last(resource); fact == nil || fact.Sequence != uint64(i+1) {
				t.Errorf("%s is cached as %+v", resource, fact)
			}
		}
		want = append(want, "job.aurora.ladder-hd."+event.NameToken(name))
	}
	h.putIfNewer(h.Token(ladderKey(t, lifecycle.LiveOutput, "aurora", "ep-1")), head{fact: &lifecycle.Fact{Sequence: 9}})
	gone := h.Token(ladderKey(t, lifecycle.Job, "aurora", "gone"))
	h.putIfNewer(gone, head{fact: &lifecycle.Fact{Sequence: 10, State: "Finished"}})
	h.putIfNewer(gone, head{fact: &lifecycle.Fact{Sequence: 11, State: "deleted"}})
	got := h.Living(lifecycle.Job, "aurora")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the tokens are %q, want %q", got, want)
	}
	if living, deleted := h.Count(lifecycle.Job, "aurora"); living != len(want) || deleted != 1 {
		t.Errorf("%d live and %d are deleted", living, deleted)
	}
	if fact := h.Last(gone); fact == nil || fact.State != "deleted" {
		t.Errorf("the deleted job is cached as %+v", fact)
	}
	h.putIfNewer(gone, head{fact: &lifecycle.Fact{Sequence: 12, State: "Queued"}})
	if living, deleted := h.Count(lifecycle.Job, "aurora"); living != len(want)+1 || deleted != 0 {
		t.Errorf("%d live and %d are deleted after one was made again", living, deleted)
	}
	if fact := h.Last("job.aurora.ladder-hd.ep-4"); fact != nil {
		t.Errorf("a job that was never observed is cached as %+v", fact)
	}
}

func ladderKey(t *testing.T, kind lifecycle.Kind, project, name string) lifecycle.Key {
	t.Helper()
	key, err := lifecycle.NewKey(kind, project, "ladder-hd", name)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
