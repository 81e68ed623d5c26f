package lifecycle_test

import (
	"testing"
	"time"

	. "mkio-bridge/internal/lifecycle"
)

// at returns a time of one day on MK.IO's clock.
func at(minute int) time.Time {
	return time.Date(2031, 3, 4, 10, 0, 0, 0, time.UTC).Add(time.Duration(minute) * time.Minute)
}

func key(t *testing.T, kind Kind, names ...string) Key {
	t.Helper()
	k, err := NewKey(kind, "aurora-vod", names...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// fromWebhook is a webhook's observation; without a time if minute is 0.
func fromWebhook(k Key, state string, minute int) Observation {
	o := Observation{Key: k, State: state, Via: Webhook, Delivery: &Delivery{ID: state}}
	if minute > 0 {
		o.At = at(minute)
	}
	return o
}

// fromPoll is a poll's observation, requested when sequence was recorded.
func fromPoll(k Key, state string, sequence uint64) Observation {
	return Observation{Key: k, State: state, Via: Poll, Basis: &sequence}
}

func fact(state string, minute int) Fact {
	f := Fact{Sequence: 7, Transition: 3, State: state, Life: "life-1"}
	if minute > 0 {
		f.At = at(minute)
	}
	return f
}

func with(o Observation, change func(*Observation)) Observation { change(&o); return o }

func life(id string) func(*Observation) { return func(o *Observation) { o.Life = id } }

func TestDecide(t *testing.T) {
	job := key(t, Job, "ladder-hd", "ep-0417")
	channel := key(t, LiveChannel, "news-247")
	polled := func(state string, after, before int) Fact {
		return Fact{Sequence: 7, Transition: 3, State: state, SeenAfter: at(after), SeenBefore: at(before)}
	}
	tests := []struct {
		name     string
		recorded Fact
		seen     Observation
		want     Outcome
		arrival  Outcome // for a Conflict: what it becomes in order of arrival
	}{
		{"a newer state", fact("Processing", 10), fromWebhook(job, "Finished", 11), Changed, 0},
		{"a newer state without any time, in a job's order", fact("Processing", 0), fromWebhook(job, "Finished", 0), Changed, 0},
		{"an older state", fact("Running", 10), fromWebhook(channel, "Starting", 9), Late, 0},
		{"an older state without any time, in a job's order", fact("Processing", 0), fromWebhook(job, "Queued", 0), Late, 0},
		{"equal times, in a job's order", fact("Queued", 10), fromWebhook(job, "Processing", 10), Changed, 0},
		{"the recorded state at the same time", fact("Running", 10), fromWebhook(channel, "Running", 10), Repeat, 0},
		{"the recorded state in other letters", fact("StandBy", 10), fromWebhook(channel, "standby", 10), Repeat, 0},
		{"the recorded state at an older time", fact("Running", 10), fromWebhook(channel, "Running", 9), Repeat, 0},
		{"the recorded state without a time", fact("Running", 10), fromWebhook(channel, "Running", 0), Repeat, 0},
		{"the recorded state at a newer time", fact("Running", 10), fromWebhook(channel, "Running", 11), Flap, 0},
		{"no times and no order", fact("Running", 0), fromWebhook(channel, "Stopped", 0), Conflict, Changed},
		{"equal times and no order", fact("Running", 10), fromWebhook(channel, "Stopped", 10), Conflict, Changed},
		{"the empty state is a state", fact("Running", 10), fromWebhook(channel, "", 11), Changed, 0},
		{"an unlisted state", fact("Running", 10), fromWebhook(channel, "Hibernating", 11), Changed, 0},

		{
			"a job that ended does not go back, whatever the time", fact("Finished", 10),
			with(fromWebhook(job, "Processing", 12), life("life-1")), Late, 0,
		},
		{
			"a job that ended, perhaps another life", fact("Finished", 10),
			fromWebhook(job, "Processing", 12), Conflict, Changed,
		},
		{"a job that ended, an older state", fact("Finished", 10), fromWebhook(job, "Processing", 9), Late, 0},
		{"two ends of one job", fact("Finished", 10), fromWebhook(job, "Error", 12), Conflict, Changed},
		{"deletion may follow the end of a job", fact("Finished", 10), fromWebhook(job, "Deleted", 12), Changed, 0},
		{"Deleted ends a life without a time", fact("Running", 0), fromWebhook(channel, "Deleted", 0), Changed, 0},
		{"nothing follows Deleted in one life", fact("Deleted", 10), with(fromWebhook(channel, "Running", 12), life("life-1")), Late, 0},
		{"a deleted name in use again", fact("Deleted", 10), fromWebhook(channel, "Running", 12), Changed, 0},
		{"a deleted name, perhaps in use again", fact("Deleted", 0), fromWebhook(channel, "Running", 0), Conflict, Changed},

		{"another life, newer", fact("Finished", 10), with(fromWebhook(job, "Queued", 12), life("life-2")), Reborn, 0},
		{"another life in the same state", fact("Running", 10), with(fromWebhook(channel, "Running", 12), life("life-2")), Reborn, 0},
		{"another life of a name that is recorded as deleted", fact("Deleted", 10), with(fromWebhook(job, "Queued", 12), life("life-2")), Changed, 0},
		{"an earlier life", fact("Processing", 10), with(fromWebhook(job, "Finished", 9), life("life-0")), Late, 0},
		{"two lives, and no time orders them", fact("Processing", 0), with(fromWebhook(job, "Queued", 0), life("life-2")), Conflict, Reborn},
		{
			"created after everything recorded", fact("Finished", 10),
			with(fromWebhook(job, "Queued", 0), func(o *Observation) { o.Created = at(11) }), Reborn, 0,
		},
		{
			"two ways to write one creation time",
			Fact{State: "Running", Life: "2031-03-04T10:00:00.100Z", At: at(10)},
			with(fromWebhook(channel, "Stopped", 12), life("2031-03-04T10:00:00.1Z")), Changed, 0,
		},
		{
			"an id says nothing about a creation time", fact("Running", 10),
			with(fromWebhook(channel, "Stopped", 12), life("2031-03-04T10:00:00Z")), Changed, 0,
		},

		{
			"provisioning failed, state unchanged", fact("Running", 10),
			with(fromWebhook(channel, "Running", 11), func(o *Observation) { o.Provisioning = "Failed" }), Changed, 0,
		},
		{
			"provisioning failed already",
			Fact{State: "Running", Provisioning: "Failed", At: at(10)},
			with(fromWebhook(channel, "Running", 11), func(o *Observation) { o.Provisioning = "failed" }), Flap, 0,
		},
		{
			"provisioning recovered",
			Fact{State: "Running", Provisioning: "Failed", At: at(10)},
			with(fromWebhook(channel, "Running", 11), func(o *Observation) { o.Provisioning = "Succeeded" }), Changed, 0,
		},
		{
			"provisioning had failed before", fact("Running", 10),
			with(fromWebhook(channel, "Running", 9), func(o *Observation) { o.Provisioning = "Failed" }), Late, 0,
		},

		{
			"the modification time ranks before the time of the change",
			Fact{State: "Running", At: at(10), Modified: at(9)},
			with(fromWebhook(channel, "Stopped", 11), func(o *Observation) { o.Modified = at(8) }), Late, 0,
		},
		{
			"equal modified times say nothing",
			Fact{State: "Running", At: at(10), Modified: at(9)},
			with(fromWebhook(channel, "Stopped", 11), func(o *Observation) { o.Modified = at(9) }), Changed, 0,
		},

		{"after the response with the recorded state", polled("Starting", 5, 10), fromWebhook(channel, "Running", 11), Changed, 0},
		{"before the last response with the former state", polled("Starting", 5, 10), fromWebhook(channel, "Stopped", 5), Late, 0},
		{"inside the window of the poll", polled("Starting", 5, 10), fromWebhook(channel, "Running", 7), Conflict, Changed},
		{"before a first poll", Fact{State: "Starting", SeenBefore: at(10)}, fromWebhook(channel, "Running", 7), Conflict, Changed},

		{"a poll observes the present", fact("Running", 10), fromPoll(channel, "Stopped", 7), Changed, 0},
		{"a poll of a deleted name, perhaps in use again", fact("Deleted", 10), fromPoll(channel, "Stopped", 7), Late, 0},
		{"a poll, and an event was recorded meanwhile", fact("Running", 10), fromPoll(channel, "Stopped", 6), Late, 0},
		{"a poll of another life", fact("Running", 10), with(fromPoll(channel, "Running", 7), life("life-2")), Reborn, 0},
		{
			"a poll of a stale copy",
			Fact{Sequence: 7, State: "Running", Modified: at(10)},
			with(fromPoll(channel, "Stopped", 7), func(o *Observation) { o.Modified = at(9) }), Late, 0,
		},
		{
			"a poll of a stale copy of an earlier life",
			Fact{Sequence: 7, State: "Running", Life: "life-1", Modified: at(10)},
			with(fromPoll(channel, "Stopped", 7), func(o *Observation) { o.Life = "life-0"; o.Modified = at(9) }), Late, 0,
		},
		{"a poll of a job that ended and runs", fact("Finished", 10), with(fromPoll(job, "Processing", 7), life("life-1")), Late, 0},
		{"a poll of another end of a job", fact("Finished", 10), with(fromPoll(job, "Error", 7), life("life-1")), Changed, 0},
		{"a poll of a deleted life", fact("Deleted", 10), with(fromPoll(channel, "Running", 7), life("life-1")), Late, 0},
		{
			"an old change with the current record",
			Fact{State: "Running", At: at(10), Modified: at(10)},
			with(fromWebhook(channel, "Stopped", 8), func(o *Observation) { o.Modified = at(11) }), Late, 0,
		},
		{
			"provisioning failed, and a webhook has no provisioningState",
			Fact{State: "Running", Provisioning: "Failed", At: at(10)},
			fromWebhook(channel, "Running", 11), Flap, 0,
		},
		{
			"a poll after provisioning recovered",
			Fact{Sequence: 7, State: "Running", Provisioning: "Failed", At: at(10)},
			fromPoll(channel, "Running", 7), Changed, 0,
		},
		{
			"a life that began when the one before it ended",
			Fact{State: "Deleted", Life: "life-1", At: at(9)},
			with(fromWebhook(job, "Queued", 0), func(o *Observation) { o.Created = at(9) }), Changed, 0,
		},
		{
			"created within the second to which the recorded time was cut", fact("Running", 10),
			with(fromWebhook(channel, "Stopped", 11), func(o *Observation) { o.Created = at(10).Add(time.Second / 2) }), Changed, 0,
		},
		{
			"a later time of a life that began before", fact("Running", 10),
			with(fromWebhook(channel, "Stopped", 12), func(o *Observation) { o.Life, o.Created = "life-2", at(5) }), Conflict, Reborn,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Decide(&tt.recorded, tt.seen)
			if got.Outcome != tt.want || got.Why == "" {
				t.Errorf("%s after %s: %s (%s), want %s", tt.seen.State, tt.recorded.State, got.Outcome, got.Why, tt.want)
			}
			want := tt.arrival
			if want == 0 {
				want = tt.want
			}
			if arrival := got.ByArrival(); arrival.Outcome != want {
				t.Errorf("by arrival: %s, want %s", arrival.Outcome, want)
			}
		})
	}
	if got := Decide(nil, fromWebhook(job, "Processing", 1)); got.Outcome != Changed {
		t.Errorf("no event recorded: %s, want changed", got.Outcome)
	}
}

func TestFactRecords(t *testing.T) {
	channel := key(t, LiveChannel, "news-247")
	f := Fact{State: "Running", At: at(10), Modified: at(9), Delivery: "d-1", Life: "life-1"}
	tests := []struct {
		name string
		seen Observation
		want bool
	}{
		{"the same time", fromWebhook(channel, "Running", 10), true},
		{"the same delivery at another time", with(fromWebhook(channel, "Running", 12), func(o *Observation) { o.Delivery.ID = "d-1" }), true},
		{"another time and delivery", fromWebhook(channel, "Running", 12), false},
		{"another state", with(fromWebhook(channel, "Stopped", 10), func(o *Observation) { o.Delivery.ID = "d-1" }), false},
		{"another life", with(fromWebhook(channel, "Running", 10), life("life-2")), false},
		{"no time, but modified at the same time", with(fromWebhook(channel, "Running", 0), func(o *Observation) { o.Modified = at(9) }), true},
		{"no time at all", fromWebhook(channel, "Running", 0), false},
	}
	for _, tt := range tests {
		if got := f.Records(tt.seen); got != tt.want {
			t.Errorf("%s: Records is %t", tt.name, got)
		}
	}
}

func TestMayBeRecorded(t *testing.T) {
	job, channel := key(t, Job, "ladder-hd", "ep-0417"), key(t, LiveChannel, "news-247")
	tests := []struct {
		name     string
		recorded *Fact
		seen     Observation
		want     bool
	}{
		{"no event is recorded", nil, fromWebhook(job, "Processing", 1), false},
		{"a job continues", new(fact("Processing", 10)), fromWebhook(job, "Finished", 11), false},
		{"a retry after a later state", new(fact("Finished", 10)), fromWebhook(job, "Processing", 9), true},
		{"a channel may return to a state", new(fact("Stopped", 10)), fromWebhook(channel, "Running", 11), true},
		{"a retry of an earlier life with a new time", new(fact("Processing", 10)), with(fromWebhook(job, "Finished", 12), life("life-0")), true},
		{"a poll", new(fact("Stopped", 10)), fromPoll(channel, "Running", 7), false},
	}
	for _, tt := range tests {
		if got := Decide(tt.recorded, tt.seen).MayBeRecorded(tt.recorded, tt.seen); got != tt.want {
			t.Errorf("%s: MayBeRecorded is %t", tt.name, got)
		}
	}
}

func TestImpliedDeletionPrecedesTheNextLife(t *testing.T) {
	job := key(t, Job, "ladder-hd", "ep-0417")
	recorded := fact("Finished", 10)
	seen := with(fromWebhook(job, "Processing", 20), func(o *Observation) { o.Life, o.Created = "life-2", at(19) })
	gone := Deletion(recorded, seen)
	if gone.State != StateDeleted || gone.Life != "life-1" || !gone.At.Equal(at(19)) || gone.Resource != nil {
		t.Errorf("the implied deletion is %+v", gone)
	}
	if got := Decide(&recorded, gone); got.Outcome != Changed {
		t.Errorf("the implied deletion: %s (%s), want changed", got.Outcome, got.Why)
	}
	deleted := Fact{Transition: 4, State: gone.State, Life: gone.Life, At: gone.At}
	if got := Decide(&deleted, seen); got.Outcome != Changed {
		t.Errorf("the next life after its deletion: %s (%s), want changed", got.Outcome, got.Why)
	}
}

// A recorded time in the future must not make every response stale until it is reached. A time slightly ahead may be from a
// server whose clock is ahead.
func TestRecordedTimeAheadOfMKIOsClock(t *testing.T) {
	job, channel := key(t, Job, "ladder-hd", "ep-0417"), key(t, LiveChannel, "news-247")
	poll := func(k Key, state string) Observation {
		return with(fromPoll(k, state, 7), func(o *Observation) {
			o.Life, o.Modified, o.SeenBefore, o.Clock = "life-1", at(5), at(10), at(10)
		})
	}
	for _, tt := range []struct {
		name     string
		recorded string
		ahead    int // minutes
		seen     Observation
		want     Outcome
	}{
		{"years", "Stopped", 60 * 24 * 365 * 60, poll(channel, "Running"), Changed},
		{"years, of an end", "Error", 60 * 24 * 365 * 60, poll(job, "Finished"), Changed},
		{"years, of a deletion", StateDeleted, 60 * 24 * 365 * 60, poll(channel, "Running"), Changed},
		{"half an hour", "Stopped", 30, poll(channel, "Running"), Changed},
		{"some minutes", "Stopped", 4, poll(channel, "Running"), Late},
		{
			"years, and the clock is not known for sure", "Stopped", 60 * 24 * 365 * 60,
			with(poll(channel, "Running"), func(o *Observation) { o.Clock = time.Time{} }), Late,
		},
		{"a webhook does not have MK.IO's clock", "Stopped", 60 * 24, with(fromWebhook(channel, "Running", 12), life("life-1")), Late},
	} {
		recorded := fact(tt.recorded, 0)
		recorded.At, recorded.Modified = at(10+tt.ahead), at(10+tt.ahead)
		if got := Decide(&recorded, tt.seen); got.Outcome != tt.want {
			t.Errorf("%s: %s (%s), want %s", tt.name, got.Outcome, got.Why, tt.want)
		}
	}
}
