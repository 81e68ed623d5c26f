package lifecycle_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	. "mkio-bridge/internal/lifecycle"
)

// polledAt is what a poll saw of life-1 in an answer that MK.IO took at a minute, when its clock said another.
func polledAt(k Key, state string, moment, clock int, change ...func(*Observation)) Observation {
	o := shown(k, state, 7)
	o.Life, o.SeenBefore, o.Clock = "life-1", at(moment), at(clock)
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

func stored(o *Observation) { o.Stored = true }

func seconds(minute, seconds int) func(*Observation) {
	return func(o *Observation) { o.SeenBefore = at(minute).Add(time.Duration(seconds) * time.Second) }
}

func unsure(o *Observation) { o.Clock = time.Time{} }

// What MK.IO took before the recorded state was seen, or came about, decides nothing, whatever else it says.
func TestDecideOfStoredCopies(t *testing.T) {
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
		{"after the recorded look", polled("Running", 10), polledAt(channel, "Stopped", 11, 11), Changed},
		{"before the recorded look", polled("Running", 10), polledAt(channel, "Stopped", 8, 11), Late},
		{"before it, the record modified at the same time", modifiedFact("Running", 10, 5), polledAt(channel, "Stopped", 8, 11, modified(5)), Late},
		{"before it, and modified later than the recorded one", modifiedFact("Running", 10, 5), polledAt(channel, "Stopped", 8, 11, modified(7)), Late},
		{"before it, and the clock is not known for sure", polled("Running", 10), polledAt(channel, "Stopped", 8, 0, unsure), Late},
		{"before it, gone", polled("Running", 10), polledAt(channel, StateDeleted, 8, 11), Late},
		{"before it, another life", polled("Running", 10), polledAt(channel, "Running", 8, 11, ofLife("life-2"), created(7)), Late},
		{"before it, the recorded state", polled("Running", 10), polledAt(channel, "Running", 8, 11), Repeat},
		{"before it, another end of a job", polled("Finished", 10), polledAt(job, "Error", 8, 11), Late},
		{"before it by less than clocks are apart", polled("Running", 10), polledAt(channel, "Stopped", 10, 10, seconds(10, -4)), Changed},
		{"before it by more than clocks are apart", polled("Running", 10), polledAt(channel, "Stopped", 10, 10, seconds(10, -6)), Late},
		{"a copy from some seconds before it", polled("Running", 10), polledAt(channel, "Stopped", 10, 10, seconds(10, -2), stored), Late},
		{"a copy from the very second", polled("Running", 10), polledAt(channel, "Stopped", 10, 10, stored), Late},
		{"a copy from some seconds after it", polled("Running", 10), polledAt(channel, "Stopped", 10, 11, seconds(10, 2), stored), Changed},
		{"a copy from some seconds before the change that a webhook told", fact("Running", 10), polledAt(channel, "Stopped", 10, 10, seconds(10, -2), stored), Late},
		{
			"before the change that a webhook told, and modified later than the record that it brought",
			Fact{Sequence: 7, State: "Running", Life: "life-1", At: at(10), Modified: at(2)},
			polledAt(channel, "Stopped", 5, 11, modified(4)), Late,
		},
		{"before the change that a webhook told", fact("Running", 10), polledAt(channel, "Stopped", 8, 11), Late},
		{"before it, gone, as a webhook told", fact("Running", 10), polledAt(channel, StateDeleted, 8, 11), Late},
		{
			"a job in an earlier state, by a record from before the change that a webhook told",
			Fact{Sequence: 7, State: "Processing", Life: "life-1", At: at(10), Modified: at(2)},
			polledAt(job, "Queued", 11, 11, modified(4)), Late,
		},
		{"after the change that a webhook told", fact("Running", 10), polledAt(channel, "Stopped", 11, 11), Changed},
		{"a copy, and nothing recorded has a time", fact("Running", 0), polledAt(channel, "Stopped", 8, 11, stored), Late},
		{"an answer of now, and nothing recorded has a time", fact("Running", 0), polledAt(channel, "Stopped", 11, 11), Changed},
		{"a copy of after the recorded look", polled("Running", 10), polledAt(channel, "Stopped", 11, 60), Changed},

		// The clock was set back: what was recorded by the clock as it was lies ahead of it.
		{"a look of the clock as it was", polled("Running", 130), polledAt(channel, "Stopped", 12, 12), Changed},
		{"a change of the clock as it was", fact("Running", 130), polledAt(channel, "Stopped", 12, 12, modified(11)), Changed},
		{"a record of the clock as it was", modifiedFact("Running", 130, 129), polledAt(channel, "Stopped", 12, 12, modified(11)), Changed},
		{"a look of the clock as it was, a copy of before", modifiedFact("Running", 130, 5), polledAt(channel, "Stopped", 12, 12, modified(4)), Late},
		{"a look ahead of a clock that is not known for sure", polled("Running", 130), polledAt(channel, "Stopped", 12, 0, unsure), Late},
		{"gone, by the clock as it was", polled(StateDeleted, 130), polledAt(channel, "Running", 12, 12), Changed},
		// It was set forward: all that is recorded is older.
		{"a look before the clock was set forward", polled("Running", 10), polledAt(channel, "Stopped", 130, 130), Changed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Decide(&tt.recorded, tt.seen); got.Outcome != tt.want || got.Why == "" {
				t.Errorf("%s after %s: %s (%s), want %s", tt.seen.State, tt.recorded.State, got.Outcome, got.Why, tt.want)
			}
		})
	}
}

// A life that ended stays ended unless MK.IO shows something newer than its end.
func TestDecideOfWhatIsShownAfterItsEnd(t *testing.T) {
	channel, job := key(t, LiveChannel, "news-247"), key(t, Job, "ladder-hd", "ep-0417")
	gone := Fact{Sequence: 7, State: StateDeleted, Life: "life-1", SeenAfter: at(8), SeenBefore: at(10)}
	unknown := Fact{Sequence: 7, State: StateDeleted, SeenAfter: at(8), SeenBefore: at(10)}
	goneAsTold := Fact{Sequence: 7, State: StateDeleted, Life: "life-1", At: at(10), Modified: at(10)}
	tests := []struct {
		name     string
		recorded Fact
		seen     Observation
		want     Outcome
	}{
		{"by a server that lags", gone, polledAt(channel, "Running", 11, 11, modified(5)), Late},
		{"by a server that lags, of kinds whose record shows no time", gone, polledAt(channel, "Running", 11, 11), Late},
		{"gone as a webhook told, by a record that was modified before that", Fact{Sequence: 7, State: StateDeleted, Life: "life-1", At: at(10), Modified: at(5)}, polledAt(channel, "Running", 11, 11, modified(7)), Late},
		{"modified after the end", gone, polledAt(channel, "Running", 12, 12, modified(11)), Changed},
		{"modified within what clocks are apart", gone, polledAt(channel, "Running", 12, 12, func(o *Observation) { o.Modified = at(10).Add(4 * time.Second) }), Late},
		{"another life that began after the end", gone, polledAt(channel, "Running", 12, 12, ofLife("life-2"), created(11)), Changed},
		{"another life that began while the end was found out", gone, polledAt(channel, "Running", 12, 12, ofLife("life-2"), created(9)), Changed},
		{"another life without a time", gone, polledAt(channel, "Running", 12, 12, ofLife("life-2")), Changed},
		{"an earlier life", gone, polledAt(channel, "Running", 12, 12, ofLife("life-0"), created(3)), Late},
		{"an earlier life, for long", gone, polledAt(channel, "Running", 26, 26, ofLife("life-0"), created(3)), Changed},
		{"for long", gone, polledAt(channel, "Running", 26, 26, modified(5)), Changed},
		{"for long, but by a copy", gone, polledAt(channel, "Running", 24, 60, modified(5)), Late},
		{"a life nobody knows", unknown, polledAt(channel, "Running", 11, 11), Late},
		{"a life nobody knows, that began after the end", unknown, polledAt(channel, "Running", 12, 12, created(11)), Changed},
		{"a life nobody knows, that began before the end", unknown, polledAt(channel, "Running", 12, 12, created(5)), Late},
		{"a life nobody knows, for long", unknown, polledAt(channel, "Running", 26, 26, created(5)), Changed},
		{"gone as a webhook told", goneAsTold, polledAt(channel, "Running", 11, 11, modified(9)), Late},
		{"gone as a webhook told, for long", goneAsTold, polledAt(channel, "Running", 26, 26, modified(9)), Changed},
		{"gone as a webhook told, modified after it", goneAsTold, polledAt(channel, "Running", 12, 12, modified(11)), Changed},
		{"gone, and nothing tells when", fact(StateDeleted, 0), polledAt(channel, "Running", 11, 11), Changed},
		{"gone, and nothing tells when, by a copy", fact(StateDeleted, 0), polledAt(channel, "Running", 8, 11, stored), Late},

		{"a job that ended, of a life nobody knows", Fact{Sequence: 7, State: "Finished", At: at(10)}, polledAt(job, "Processing", 11, 11, created(5), modified(9)), Late},
		{"the same for long", Fact{Sequence: 7, State: "Finished", At: at(10)}, polledAt(job, "Processing", 26, 26, created(5), modified(9)), Changed},
		{"the same, of the life that is recorded", fact("Finished", 10), polledAt(job, "Processing", 60, 60), Late},

		// Of lives without a time of modification, as those of assets are shown.
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

// A past is all that was ever true of a resource, one step after the other.
type past struct {
	facts []Observation
	step  time.Duration
}

func drawPast(t *rapid.T, key Key, step time.Duration) past {
	p := past{step: step}
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

func (p past) at(i int) time.Time { return at(0).Add(time.Duration(i) * p.step) }

// poll has a log observe what was true at a place, as of a moment by the answer.
func (p past) poll(l *log, i int, moment, clock time.Time, change func(*Observation)) {
	o := p.facts[i]
	if SameState(o.State, StateDeleted) {
		if l.last() == nil {
			return // what nobody recorded is not missed
		}
		o.Life = l.last().Life
	}
	basis := uint64(len(l.events))
	o.Via, o.Delivery, o.At, o.Basis = Poll, &Delivery{}, time.Time{}, &basis
	o.SeenBefore, o.Clock, o.Stored = moment, clock, moment.Before(clock)
	change(&o)
	l.observe(o)
}

// Whatever copies of whatever age come between, polls record what was true in the order in which it was true, and what
// is true in the end.
func TestStoredCopiesNeverGoBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		past := drawPast(t, drawKey(t), 2*time.Second)
		if len(past.facts) == 0 {
			return
		}
		change := drawChange(t)
		var l log
		now := 0
		for range rapid.IntRange(1, 30).Draw(t, "polls") {
			now = min(now+rapid.IntRange(0, 2).Draw(t, "goes on"), len(past.facts)-1)
			shows := rapid.IntRange(0, now).Draw(t, "shows")
			past.poll(&l, shows, past.at(shows), past.at(now), change)
		}
		for i := 1; i < len(l.events); i++ {
			if l.events[i].SeenBefore.Before(l.events[i-1].SeenBefore) {
				t.Fatalf("I5: %s of %s after %s of %s", l.events[i].State, l.events[i].SeenBefore, l.events[i-1].State, l.events[i-1].SeenBefore)
			}
		}
		past.converges(t, &l, past.at(now), now, change)
	})
}

// Servers that lag behind answer as of now. What ended does not go on by what they show, and what is true is recorded in
// the end.
func TestServersThatLagReviveNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		past := drawPast(t, drawKey(t), 30*time.Second) // more than clocks are apart
		if len(past.facts) == 0 {
			return
		}
		change := drawChange(t)
		var l log
		now := 0
		for range rapid.IntRange(1, 30).Draw(t, "polls") {
			now = min(now+rapid.IntRange(0, 2).Draw(t, "goes on"), len(past.facts)-1)
			shows := rapid.IntRange(0, now).Draw(t, "shows")
			if SameState(past.facts[shows].State, StateDeleted) {
				shows = now // whoever does not know of a life yet is an outage, not a record
			}
			past.poll(&l, shows, past.at(now), past.at(now), change)
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

// drawChange draws what is not known to polls: when records were modified, or MK.IO's clock.
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

// converges checks that what is true is recorded once MK.IO shows it.
func (p past) converges(t *rapid.T, l *log, clock time.Time, now int, change func(*Observation)) {
	p.poll(l, now, clock, clock, change)
	last := l.last()
	if last == nil && SameState(p.facts[now].State, StateDeleted) {
		return
	}
	if !SameState(last.State, p.facts[now].State) || p.facts[now].Life != "" && last.Life != p.facts[now].Life {
		t.Fatalf("ended in %s of %s, want %s of %s", last.State, last.Life, p.facts[now].State, p.facts[now].Life)
	}
}
