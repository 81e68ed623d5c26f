package publish

import (
	"context"
	"testing"

	"mkio-bridge/internal/lifecycle"
)

// What was read from the stream may be older, by the time it is remembered, than what its tail has told.
func TestWhatIsReadDoesNotReplaceWhatIsNewer(t *testing.T) {
	const resource = "job.aurora-vod.ladder-hd.ep-0417"
	at := func(sequence uint64, state string) place {
		return place{fact: &lifecycle.Fact{Sequence: sequence, State: state}, expect: sequence}
	}
	k := newKnown()
	k.put(resource, at(3, "Queued"))
	k.learn(resource, at(9, "Finished"))
	k.put(resource, at(5, "Processing"))
	if got := k.get(resource); got.fact.Sequence != 9 || got.expect != 9 {
		t.Errorf("event %d is remembered, want 9", got.fact.Sequence)
	}
	if len(k.groups["job.aurora-vod"].moving) != 0 {
		t.Error("a finished job is taken for one that moves")
	}
	k.put(resource, place{}) // the stream has none
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
	p.known.forget()
	ctx, stop := context.WithCancel(t.Context())
	p.Follow(ctx, func(string, lifecycle.Fact) { stop() })
	if fact, known := p.Recorded(o.Key); !known || fact.Sequence != 1 {
		t.Errorf("of an event in the log %+v is known", fact)
	}
}
