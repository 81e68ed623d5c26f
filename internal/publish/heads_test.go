package publish

import (
	"context"
	"slices"
	"testing"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// What was read from the stream may be older, by the time it is remembered, than what its tail has told.
func TestWhatIsReadDoesNotReplaceWhatIsNewer(t *testing.T) {
	const resource = "job.aurora-vod.ladder-hd.ep-0417"
	at := func(sequence uint64, state string) head {
		return head{fact: &lifecycle.Fact{Sequence: sequence, State: state}, expect: sequence}
	}
	k := newHeads(event.NewNames(event.DefaultPrefix))
	k.put(resource, at(3, "Queued"))
	k.learn(resource, at(9, "Finished"))
	k.put(resource, at(5, "Processing"))
	if got := k.get(resource); got.fact.Sequence != 9 || got.expect != 9 {
		t.Errorf("event %d is remembered, want 9", got.fact.Sequence)
	}
	if len(k.groups["job.aurora-vod"].moving) != 0 {
		t.Error("a finished job is taken for one that moves")
	}
	k.flapped(resource, at(5, "Processing"), time.Now())
	k.remove(resource, 5) // the stream had none when 5 was the last
	if got := k.get(resource); got.fact == nil || got.fact.Sequence != 9 || !got.flappedAt.IsZero() {
		t.Errorf("%+v is remembered, want event 9", got)
	}
	k.remove(resource, 9)
	if got := k.get(resource); got.fact != nil {
		t.Errorf("%+v is remembered", got.fact)
	}
}

// Another log may be noticed while an event is written to it: what is remembered of the event is forgotten with the rest,
// and the tail must tell it again, though it was written here.
func TestTheTailTellsWhatWasWrittenHereAndForgotten(t *testing.T) {
	p, _ := slowed(t)
	o := finished("job-1")
	if _, err := p.Observe(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	p.heads.forget()
	ctx, stop := context.WithCancel(t.Context())
	p.Follow(ctx, func(string, lifecycle.Fact) { stop() })
	if fact, known := p.Recorded(o.Key); !known || fact.Sequence != 1 {
		t.Errorf("of an event in the log %+v is known", fact)
	}
}

// Whoever compares all that is known asks for the tokens first: of one kind and project, whatever else is known.
func TestWhatIsKnownIsFoundByItsTokens(t *testing.T) {
	h := Heads{newHeads(event.NewNames(event.DefaultPrefix))}
	var want []string
	for i, name := range []string{"ep-1", "ep-2", "ep 3"} {
		for _, other := range []lifecycle.Key{ladderKey(t, lifecycle.Job, "aurora", name), ladderKey(t, lifecycle.Job, "aurora-vod", name)} {
			resource := h.Token(other)
			h.learn(resource, head{fact: &lifecycle.Fact{Sequence: uint64(i + 1), State: "Finished"}})
			if fact := h.Last(resource); fact == nil || fact.Sequence != uint64(i+1) {
				t.Errorf("of %s %+v is known", resource, fact)
			}
		}
		want = append(want, "job.aurora.ladder-hd."+event.NameToken(name))
	}
	h.learn(h.Token(ladderKey(t, lifecycle.LiveOutput, "aurora", "ep-1")), head{fact: &lifecycle.Fact{Sequence: 9}})
	got := h.Tokens(lifecycle.Job, "aurora")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the tokens are %q, want %q", got, want)
	}
	if fact := h.Last("job.aurora.ladder-hd.ep-4"); fact != nil {
		t.Errorf("of a job that nobody told %+v is known", fact)
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
