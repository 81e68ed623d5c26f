package lifecycle_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	. "mkio-bridge/internal/lifecycle"
)

// polledAt is a poll's observation of life-1 in a response that MK.IO generated at one minute, received when its clock was
// at another.
func polledAt(k Key, state string, generated, clock int, change ...func(*Observation)) Observation {
	o := fromPoll(k, state, 7)
	o.Life, o.SeenBefore, o.Clock = "life-1", at(generated), at(clock)
	for _, c := range change {
		c(&o)
	}
	return o
}

func modified(minute int) func(*Observation) {
	return func(o *Observation) { o.Modified = at(minute) }
}

func created(minute int) func(*Observation) {
	return func(o *Observation) { o.Created = at(minute) }
}

func ofLife(id string) func(*Observation) { return life(id) }

func storedCopy(o *Observation) { o.Stored = true }

func seconds(minute, seconds int) func(*Observation) {
	return func(o *Observation) { o.SeenBefore = at(minute).Add(time.Duration(seconds) * time.Second) }
}

func clockUnknown(o *Observation) { o.Clock = time.Time{} }

// A response that MK.IO generated before the recorded state was observed, or reached, is stale, whatever its content.
func TestDecideStoredCopies(t *testing.T) {
	channel, job := key(t, LiveChannel, "news-247"), key(t, Job, "ladder-hd", "ep-0417")
	polled := func(state string, before int) Fact {
		return Fact{Sequence: 7, State: state, Life: "life-1", SeenAfter: at(before - 1), SeenBefore: at(before)}
	}
	modifiedFact := func(state string, before, modified int) Fact {
		f := polled(state, before)
		f.Modified = at(modified)
		return f
	}
	tests := []struct {
		name     string
		recorded Fact
		seen     Observation
		want     Outcome
	}{
		{"after the recorded poll", polled("Running", 10), polledAt(channel, "Stopped", 11, 11), Changed},
		{"before the recorded poll", polled("Running", 10), polledAt(channel, "Stopped", 8, 11), Late},
		{"before it, the record modified at the same time", modifiedFact("Running", 10, 5), polledAt(channel, "Stopped", 8, 11, modified(5)), Late},
		{"before it, and modified later than the recorded one", modifiedFact("Running", 10, 5), polledAt(channel, "Stopped", 8, 11, modified(7)), Late},
		{"before it, and the clock is not known for sure", polled("Running", 10), polledAt(channel, "Stopped", 8, 0, clockUnknown), Late},
		{"before it, gone", polled("Running", 10), polledAt(channel, StateDeleted, 8, 11), Late},
		{"before it, another life", polled("Running", 10), polledAt(channel, "Running", 8, 11, ofLife("life-2"), created(7)), Late},
		{"before it, the recorded state", polled("Running", 10), polledAt(channel, "Running", 8, 11), Repeat},
		{"before it, another end of a job", polled("Finished", 10), polledAt(job, "Error", 8, 11), Late},
		{"before it by less than clocks are apart", polled("Running", 10), polledAt(channel, "Stopped", 10, 10, seconds(10, -4)), Changed},
		{"before it by more than clocks are apart", polled("Running", 10), polledAt(channel, "Stopped", 10, 10, seconds(10, -6)), Late},
		{"a copy from some seconds before it", polled("Running", 10), polledAt(channel, "Stopped", 10, 10, seconds(10, -2), storedCopy), Late},
		{"a copy from the very second", polled("Running", 10), polledAt(channel, "Stopped", 10, 10, storedCopy), Late},
		{"a copy from some seconds after it", polled("Running", 10), polledAt(channel, "Stopped", 10, 11, seconds(10, 2), storedCopy), Changed},
		{"a copy from some seconds before the change in a webhook", fact("Running", 10), polledAt(channel, "Stopped", 10, 10, seconds(10, -2), storedCopy), Late},
		{
			"before the change in a webhook, and modified later than its record",
			Fact{Sequence: 7, State: "Running", Life: "life-1", At: at(10), Modified: at(2)},
			polledAt(channel, "Stopped", 5, 11, modified(4)), Late,
		},
		{"before the change in a webhook", fact("Running", 10), polledAt(channel, "Stopped", 8, 11), Late},
		{"before it, gone, by a webhook", fact("Running", 10), polledAt(channel, StateDeleted, 8, 11), Late},
		{
			"a job in an earlier state, by a record from before the change in a webhook",
			Fact{Sequence: 7, State: "Processing", Life: "life-1", At: at(10), Modified: at(2)},
			polledAt(job, "Queued", 11, 11, modified(4)), Late,
		},
		{"after the change in a webhook", fact("Running", 10), polledAt(channel, "Stopped", 11, 11), Changed},
		{"a copy, and nothing recorded has a time", fact("Running", 0), polledAt(channel, "Stopped", 8, 11, storedCopy), Late},
		{"a current response, and no recorded time", fact("Running", 0), polledAt(channel, "Stopped", 11, 11), Changed},
		{"a copy of after the recorded poll", polled("Running", 10), polledAt(channel, "Stopped", 11, 60), Changed},

		// The clock was set back: times recorded before that lie ahead of it.
		{"a poll by the clock as it was", polled("Running", 130), polledAt(channel, "Stopped", 12, 12), Changed},
		{"a change of the clock as it was", fact("Running", 130), polledAt(channel, "Stopped", 12, 12, modified(11)), Changed},
		{"a record of the clock as it was", modifiedFact("Running", 130, 129), polledAt(channel, "Stopped", 12, 12, modified(11)), Changed},
		{"a poll by the clock as it was, a copy of before", modifiedFact("Running", 130, 5), polledAt(channel, "Stopped", 12, 12, modified(4)), Late},
		{"a poll ahead of a clock that is not known for sure", polled("Running", 130), polledAt(channel, "Stopped", 12, 0, clockUnknown), Late},
		{"gone, by the clock as it was", polled(StateDeleted, 130), polledAt(channel, "Running", 12, 12), Changed},
		// The clock was set forward: everything recorded is older.
		{"a poll before the clock was set forward", polled("Running", 10), polledAt(channel, "Stopped", 130, 130), Changed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Decide(&tt.recorded, tt.seen); got.Outcome != tt.want || got.Why == "" {
				t.Errorf("%s after %s: %s (%s), want %s", tt.seen.State, tt.recorded.State, got.Outcome, got.Why, tt.want)
			}
		})
	}
}

// A life that is recorded as ended stays so unless a response is newer than its end.
func TestDecidePolledAfterEnd(t *testing.T) {
	channel, job := key(t, LiveChannel, "news-247"), key(t, Job, "ladder-hd", "ep-0417")
	gone := Fact{Sequence: 7, State: StateDeleted, Life: "life-1", SeenAfter: at(8), SeenBefore: at(10)}
	unknown := Fact{Sequence: 7, State: StateDeleted, SeenAfter: at(8), SeenBefore: at(10)}
	deletedByWebhook := Fact{Sequence: 7, State: StateDeleted, Life: "life-1", At: at(10), Modified: at(10)}
	tests := []struct {
		name     string
		recorded Fact
		seen     Observation
		want     Outcome
	}{
		{"by a server that lags", gone, polledAt(channel, "Running", 11, 11, modified(5)), Late},
		{"by a server that lags, of kinds whose record has no time", gone, polledAt(channel, "Running", 11, 11), Late},
		{"gone by a webhook, by a record that was modified before that", Fact{Sequence: 7, State: StateDeleted, Life: "life-1", At: at(10), Modified: at(5)}, polledAt(channel, "Running", 11, 11, modified(7)), Late},
		{"modified after the end", gone, polledAt(channel, "Running", 12, 12, modified(11)), Changed},
		{"modified within what clocks are apart", gone, polledAt(channel, "Running", 12, 12, func(o *Observation) { o.Modified = at(10).Add(4 * time.Second) }), Late},
		{"another life that began after the end", gone, polledAt(channel, "Running", 12, 12, ofLife("life-2"), created(11)), Changed},
		{"another life that began while the end was found out", gone, polledAt(channel, "Running", 12, 12, ofLife("life-2"), created(9)), Changed},
		{"another life without a time", gone, polledAt(channel, "Running", 12, 12, ofLife("life-2")), Changed},
		{"an earlier life", gone, polledAt(channel, "Running", 12, 12, ofLife("life-0"), created(3)), Late},
		{"an earlier life, for long", gone, polledAt(channel, "Running", 26, 26, ofLife("life-0"), created(3)), Changed},
		{"for long", gone, polledAt(channel, "Running", 26, 26, modified(5)), Changed},
		{"for long, but by a copy", gone, polledAt(channel, "Running", 24, 60, modified(5)), Late},
		{"an unknown life", unknown, polledAt(channel, "Running", 11, 11), Late},
		{"an unknown life, that began after the end", unknown, polledAt(channel, "Running", 12, 12, created(11)), Changed},
		{"an unknown life, that began before the end", unknown, polledAt(channel, "Running", 12, 12, created(5)), Late},
		{"an unknown life, for long", unknown, polledAt(channel, "Running", 26, 26, created(5)), Changed},
		{"gone by a webhook", deletedByWebhook, polledAt(channel, "Running", 11, 11, modified(9)), Late},
		{"gone by a webhook, for long", deletedByWebhook, polledAt(channel, "Running", 26, 26, modified(9)), Changed},
		{"gone by a webhook, modified after it", deletedByWebhook, polledAt(channel, "Running", 12, 12, modified(11)), Changed},
		{"gone, without a time", fact(StateDeleted, 0), polledAt(channel, "Running", 11, 11), Changed},
		{"gone, without a time, by a copy", fact(StateDeleted, 0), polledAt(channel, "Running", 8, 11, storedCopy), Late},

		{"a job that ended, of an unknown life", Fact{Sequence: 7, State: "Finished", At: at(10)}, polledAt(job, "Processing", 11, 11, created(5), modified(9)), Late},
		{"the same for long", Fact{Sequence: 7, State: "Finished", At: at(10)}, polledAt(job, "Processing", 26, 26, created(5), modified(9)), Changed},
		{"the same, of the life that is recorded", fact("Finished", 10), polledAt(job, "Processing", 60, 60), Late},

		// Lives without a modification time, such as those of assets.
		{"a later life", Fact{Sequence: 7, State: "Running", Life: "life-1", SeenBefore: at(10)}, polledAt(channel, "Running", 12, 12, ofLife("life-2"), created(11)), Reborn},
		{"an earlier life, by a server that lags", Fact{Sequence: 7, State: "Running", Life: "life-1", SeenBefore: at(10)}, polledAt(channel, "Running", 12, 12, ofLife("life-0"), created(3)), Late},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Decide(&tt.recorded, tt.seen); got.Outcome != tt.want || got.Why == "" {
				t.Errorf("%s after %s: %s (%s), want %s", tt.seen.State, tt.recorded.State, got.Outcome, got.Why, tt.want)
			}
		})
	}
}

// A timeline has every state that was true of a resource, one step after the other.
type timeline struct {
	facts []Observation
	step  time.Duration
}

func drawTimeline(t *rapid.T, key Key, step time.Duration) timeline {
	p := timeline{step: step}
	for _, o := range history(t, key) {
		n := len(p.facts)
		if n > 0 && p.facts[n-1].Life != o.Life {
			p.facts = append(p.facts, Observation{Key: key, State: StateDeleted})
		}
		o.Modified, o.Created = p.at(len(p.facts)), p.at(len(p.facts))
		if n > 0 && p.facts[n-1].Life == o.Life {
			o.Created = p.facts[n-1].Created
		}
		p.facts = append(p.facts, o)
	}
	return p
}

func (p timeline) at(i int) time.Time { return at(0).Add(time.Duration(i) * p.step) }

// poll makes a log observe the state at an index, in a response that MK.IO generated at a time.
func (p timeline) poll(l *memoryLog, i int, generated, clock time.Time, change func(*Observation)) {
	o := p.facts[i]
	if SameState(o.State, StateDeleted) {
		if l.last() == nil {
			return // the deletion of an unrecorded resource is not observed
		}
		o.Life = l.last().Life
	}
	basis := uint64(len(l.events))
	o.Via, o.Delivery, o.At, o.Basis = Poll, &Delivery{}, time.Time{}, &basis
	o.SeenBefore, o.Clock, o.Stored = generated, clock, generated.Before(clock)
	change(&o)
	l.observe(o)
}

// With cached responses of any age, polls record true states in their true order, and the current state in the end.
func TestStoredCopiesNeverMoveBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		past := drawTimeline(t, drawKey(t), 2*time.Second)
		if len(past.facts) == 0 {
			return
		}
		change := drawChange(t)
		var l memoryLog
		now := 0
		for range rapid.IntRange(1, 30).Draw(t, "polls") {
			now = min(now+rapid.IntRange(0, 2).Draw(t, "goes on"), len(past.facts)-1)
			returned := rapid.IntRange(0, now).Draw(t, "returned")
			past.poll(&l, returned, past.at(returned), past.at(now), change)
		}
		for i := 1; i < len(l.events); i++ {
			if l.events[i].SeenBefore.Before(l.events[i-1].SeenBefore) {
				t.Fatalf("I5: %s of %s after %s of %s", l.events[i].State, l.events[i].SeenBefore, l.events[i-1].State, l.events[i-1].SeenBefore)
			}
		}
		past.converges(t, &l, past.at(now), now, change)
	})
}

// Servers that lag respond with the current time. Their responses revive no ended life, and the current state is recorded in
// the end.
func TestLaggingServersReviveNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		past := drawTimeline(t, drawKey(t), 30*time.Second) // more than the skew of the clocks
		if len(past.facts) == 0 {
			return
		}
		change := drawChange(t)
		var l memoryLog
		now := 0
		for range rapid.IntRange(1, 30).Draw(t, "polls") {
			now = min(now+rapid.IntRange(0, 2).Draw(t, "goes on"), len(past.facts)-1)
			returned := rapid.IntRange(0, now).Draw(t, "returned")
			if SameState(past.facts[returned].State, StateDeleted) {
				returned = now // a server that does not have a life yet responds 404, not with a record
			}
			past.poll(&l, returned, past.at(now), past.at(now), change)
		}
		ended := map[string]bool{}
		for i, e := range l.events {
			if ended[e.Life] {
				t.Fatalf("event %d: %s of %s, which ended", i+1, e.State, e.Life)
			}
			if SameState(e.State, StateDeleted) {
				ended[e.Life] = true
			}
		}
		past.converges(t, &l, past.at(now).Add(16*time.Minute), now, change)
	})
}

// drawChange draws which times polls lack: the records' modification times, or MK.IO's clock.
func drawChange(t *rapid.T) func(*Observation) {
	timeless, unsure := rapid.Bool().Draw(t, "timeless"), rapid.Bool().Draw(t, "unsure")
	return func(o *Observation) {
		if timeless {
			o.Modified = time.Time{}
		}
		if unsure {
			o.Clock = time.Time{}
		}
	}
}

// converges checks that the current state is recorded after MK.IO returns it.
func (p timeline) converges(t *rapid.T, l *memoryLog, clock time.Time, now int, change func(*Observation)) {
	p.poll(l, now, clock, clock, change)
	last := l.last()
	if last == nil && SameState(p.facts[now].State, StateDeleted) {
		return
	}
	if !SameState(last.State, p.facts[now].State) || p.facts[now].Life != "" && last.Life != p.facts[now].Life {
		t.Fatalf("ended in %s of %s, want %s of %s", last.State, last.Life, p.facts[now].State, p.facts[now].Life)
	}
}

// An event was recorded during a poll's request. The poll needs no second look if it shows what is recorded.
func TestAPollThatWasOvertaken(t *testing.T) {
	channel := key(t, LiveChannel, "news-247")
	recorded := fact("Running", 5)
	for name, tt := range map[string]struct {
		seen Observation
		want Outcome
	}{
		"the recorded state":                {overtaken(channel, "Running", "life-1"), Repeat},
		"the recorded state, life unknown":  {overtaken(channel, "Running", ""), Repeat},
		"another state":                     {overtaken(channel, "Stopped", "life-1"), Late},
		"the recorded state, another life":  {overtaken(channel, "Running", "life-2"), Late},
		"the recorded state, failed":        {with(overtaken(channel, "Running", "life-1"), func(o *Observation) { o.Provisioning = "Failed" }), Late},
		"the recorded state, at a new time": {with(overtaken(channel, "Running", "life-1"), func(o *Observation) { o.At = at(6) }), Flap},
	} {
		if got := Decide(&recorded, tt.seen); got.Outcome != tt.want {
			t.Errorf("%s: %s (%s), want %s", name, got.Outcome, got.Why, tt.want)
		}
	}
}

// overtaken is a poll's observation that was requested before the fact of sequence 7 was recorded.
func overtaken(k Key, state, life string) Observation {
	return with(fromPoll(k, state, 6), func(o *Observation) { o.Life = life })
}
