package lifecycle_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	. "mkio-bridge/internal/lifecycle"
)

// The time of arrival of a retried delivery is no evidence.
func TestDecideRetriedDeliveries(t *testing.T) {
	job, channel := key(t, Job, "ladder-hd", "ep-0417"), key(t, LiveChannel, "news-247")
	ofLife1 := life("life-1")
	tests := []struct {
		name     string
		recorded Fact
		seen     Observation
		first    Outcome // when it first arrived
		want     Outcome
	}{
		{"newer by MK.IO's times", fact("Running", 10), fromWebhook(channel, "Stopped", 11), Changed, Changed},
		{"older by MK.IO's times", fact("Running", 10), fromWebhook(channel, "Stopped", 9), Late, Late},
		{"the very fact", fact("Running", 10), fromWebhook(channel, "Running", 10), Repeat, Repeat},
		{"the recorded state, perhaps another visit", fact("Running", 0), fromWebhook(channel, "Running", 5), Repeat, Repeat},
		{"an earlier visit to the recorded state", fact("Running", 10), fromWebhook(channel, "Running", 5), Repeat, Late},
		{"a later visit to the recorded state", fact("Running", 10), fromWebhook(channel, "Running", 11), Flap, Flap},
		{"Deleted, of whichever life", Fact{State: "Running"}, fromWebhook(channel, "Deleted", 0), Changed, Conflict},
		{"Deleted before a first poll", Fact{State: "Running", SeenBefore: at(10)}, fromWebhook(channel, "Deleted", 5), Changed, Conflict},
		{"Deleted, of the recorded life", fact("Running", 0), with(fromWebhook(channel, "Deleted", 0), ofLife1), Changed, Changed},
		{"a job's order, of whichever life", Fact{State: "Queued"}, fromWebhook(job, "Finished", 0), Changed, Conflict},
		{"a job's order, of the recorded life", fact("Queued", 0), with(fromWebhook(job, "Finished", 0), ofLife1), Changed, Changed},
		{"created after everything recorded", fact("Finished", 10), with(fromWebhook(job, "Queued", 0), func(o *Observation) { o.Created = at(11) }), Reborn, Reborn},
		{"no evidence at all", Fact{State: "Running"}, fromWebhook(channel, "Stopped", 0), Conflict, Conflict},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Decide(&tt.recorded, tt.seen); got.Outcome != tt.first {
				t.Errorf("the first time: %s (%s), want %s", got.Outcome, got.Why, tt.first)
			}
			tt.seen.Retried = true
			if got := Decide(&tt.recorded, tt.seen); got.Outcome != tt.want || got.Why == "" {
				t.Errorf("retried: %s (%s), want %s", got.Outcome, got.Why, tt.want)
			}
		})
	}
}

// When all facts are recorded, no retried delivery of them is news, whatever evidence it still has.
func TestRetriedDeliveryIsNeverNews(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := drawKey(t)
		facts := history(t, key)
		if len(facts) == 0 {
			return
		}
		var l memoryLog
		for _, o := range facts {
			l.observe(o)
		}
		recorded := len(l.events)
		o := rapid.SampledFrom(facts).Draw(t, "retried")
		o.Retried, o.Delivery = true, &Delivery{ID: "lost"}
		if rapid.Bool().Draw(t, "deleted") {
			o.State = StateDeleted
			if o.Life == l.last().Life {
				return // it may be true
			}
		}
		for _, strip := range []func(){
			func() { o.Life = "" }, func() { o.At = time.Time{} }, func() { o.Modified = time.Time{} }, func() { o.Created = time.Time{} },
		} {
			if rapid.Bool().Draw(t, "stripped") {
				strip()
			}
		}
		if outcome := l.observe(o); len(l.events) != recorded {
			t.Fatalf("%+v: %s, though %+v was recorded", o, outcome, *l.last())
		}
	})
}
