package lifecycle_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	. "mkio-bridge/internal/lifecycle"
)

// A memoryLog is the smallest store that follows the rules: the publisher without a stream.
type memoryLog struct {
	events    []Fact
	byArrival bool
	conflicts int // conflicts
}

func (l *memoryLog) last() *Fact {
	if len(l.events) == 0 {
		return nil
	}
	return &l.events[len(l.events)-1]
}

func (l *memoryLog) observe(o Observation) Outcome {
	for reborn := false; ; reborn = true {
		v := Decide(l.last(), o)
		if reborn {
			v = v.Following()
		}
		if v.MayBeRecorded(l.last(), o) {
			for _, f := range l.events {
				if f.Records(o) {
					return Repeat
				}
			}
		}
		if l.byArrival {
			v = v.ByArrival()
		}
		switch v.Outcome {
		case Changed:
			l.append(o)
			return Changed
		case Reborn:
			l.append(Deletion(*l.last(), o))
			if o.Basis != nil {
				o.Basis = &l.last().Sequence
			}
		default:
			if v.Outcome == Conflict {
				l.conflicts++
			}
			return v.Outcome
		}
	}
}

func (l *memoryLog) append(o Observation) {
	n := uint64(len(l.events)) + 1
	l.events = append(l.events, Fact{
		Sequence: n, Transition: n, State: o.State, Provisioning: o.Provisioning, Life: o.Life,
		At: o.At, Modified: o.Modified, SeenAfter: o.SeenAfter, SeenBefore: o.SeenBefore, Delivery: o.Delivery.ID,
	})
}

// history draws the true changes of a resource: lives, one after the other, each with its changes.
func history(t *rapid.T, key Key) []Observation {
	words := States(key.Kind)
	now := time.Date(2031, 3, 4, 0, 0, 0, 0, time.UTC)
	tick := func() time.Time {
		now = now.Add(time.Duration(rapid.IntRange(1, 1000).Draw(t, "gap")) * time.Millisecond)
		return now
	}
	var facts []Observation
	for life := range rapid.IntRange(1, 3).Draw(t, "lives") {
		created := tick()
		previous, position := "(none)", -1
		for range rapid.IntRange(1, 5).Draw(t, "changes") {
			state := rapid.SampledFrom(words).Draw(t, "state").State
			if SameState(state, previous) || SameState(state, StateDeleted) {
				continue
			}
			if p, ok := jobPosition(key.Kind, state); ok {
				if p <= position {
					continue // a job never returns to an earlier state
				}
				position = p
			}
			previous = state
			changed := tick()
			id := fmt.Sprintf("delivery-%d", len(facts))
			facts = append(facts, Observation{
				Key: key, State: state, Life: fmt.Sprintf("life-%d", life), Created: created,
				At: changed, Modified: changed.Add(-100 * time.Microsecond), Via: Webhook,
				Delivery: &Delivery{ID: id},
			})
		}
	}
	return facts
}

func jobPosition(kind Kind, state string) (int, bool) {
	if kind != Job {
		return 0, false
	}
	for i, s := range []string{"Queued", "Scheduled", "Processing", "Canceling"} {
		if SameState(s, state) {
			return i, true
		}
	}
	return 4, SameState(state, "Finished") || SameState(state, "Error") || SameState(state, "Canceled")
}

// Any interleaving, repetition and loss of the same facts ends in the same last state.
func TestArrivalOrderDoesNotChangeTheLastState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := drawKey(t)
		facts := history(t, key)
		if len(facts) == 0 {
			return
		}
		newest := facts[len(facts)-1]
		arrivals := append([]Observation(nil), facts...)
		for range rapid.IntRange(0, 5).Draw(t, "repeats") {
			again := rapid.SampledFrom(facts).Draw(t, "repeated")
			if rapid.Bool().Draw(t, "as another delivery") {
				again.Delivery = &Delivery{ID: "another-" + again.Delivery.ID}
			}
			arrivals = append(arrivals, again)
		}
		arrivals = rapid.Permutation(arrivals).Draw(t, "arrivals")
		var lost int
		if len(arrivals) > 1 {
			lost = rapid.IntRange(0, len(arrivals)/3).Draw(t, "lost")
		}
		arrivals = append(arrivals[lost:], newest) // the newest fact is delivered at least once

		l := memoryLog{byArrival: rapid.Bool().Draw(t, "byArrival")}
		for _, o := range arrivals {
			outcome := l.observe(o)
			check(t, l.events)
			if outcome != Changed && outcome != Repeat && outcome != Flap && outcome != Late {
				t.Fatalf("%s (%s at %s): %s, though every fact has its time", o.State, o.Life, o.At, outcome)
			}
			if again := l.observe(o); again == Changed {
				t.Fatalf("%s delivered twice became two events", o.State)
			}
		}
		if got := l.last(); !SameState(got.State, newest.State) || got.Life != newest.Life {
			t.Fatalf("ended in %s (%s), want %s (%s)", got.State, got.Life, newest.State, newest.Life)
		}
	})
}

// For any deliveries, with or without evidence, the chain holds and a delivery that is repeated is one event.
func TestChainHoldsForAnyDeliveries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := drawKey(t)
		l := memoryLog{byArrival: rapid.Bool().Draw(t, "byArrival")}
		for i := range rapid.IntRange(1, 20).Draw(t, "deliveries") {
			o := Observation{
				Key: key, State: rapid.SampledFrom(States(key.Kind)).Draw(t, "state").State, Via: Webhook,
				Provisioning: rapid.SampledFrom([]string{"", "Succeeded", "Failed"}).Draw(t, "provisioning"),
				Life:         rapid.SampledFrom([]string{"", "a", "b", "2031-03-04T10:00:00Z"}).Draw(t, "life"),
				At:           maybeAt(t, "at"), Modified: maybeAt(t, "modified"), Created: maybeAt(t, "created"),
				Delivery: &Delivery{ID: fmt.Sprint(i)},
			}
			l.observe(o)
			check(t, l.events)
			if again := l.observe(o); again == Changed {
				t.Fatalf("%+v delivered twice became two events", o)
			}
		}
	})
}

func maybeAt(t *rapid.T, label string) time.Time {
	if minute := rapid.IntRange(0, 5).Draw(t, label); minute > 0 {
		return at(minute)
	}
	return time.Time{}
}

func drawKey(t *rapid.T) Key {
	kind := rapid.SampledFrom(Kinds()).Draw(t, "kind")
	key, err := NewKey(kind, "p", []string{"a", "b", "c"}[:kind.Depth()]...)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// check checks the invariants of one resource's events.
func check(t *rapid.T, events []Fact) {
	for i := 1; i < len(events); i++ {
		before, e := events[i-1], events[i]
		if SameState(before.State, e.State) && ProvisioningFailed(before.Provisioning) == ProvisioningFailed(e.Provisioning) {
			t.Fatalf("I1: event %d repeats %q", i+1, e.State)
		}
		if before.Life == e.Life && e.Life != "" && before.Modified.After(e.Modified) && !e.Modified.IsZero() {
			t.Fatalf("I5: event %d (%s) was modified before event %d (%s)", i+1, e.State, i, before.State)
		}
		if before.Life == e.Life && SameState(before.State, StateDeleted) && e.Life != "" {
			t.Fatalf("I4: event %d: %s after Deleted in one life", i+1, e.State)
		}
	}
}
