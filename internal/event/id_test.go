package event_test

import (
	"testing"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

var (
	created   = time.Date(2031, 3, 1, 8, 0, 0, 123, time.UTC) // the log
	recreated = created.Add(96 * time.Hour)
	fourth    = time.Date(2031, 3, 4, 10, 0, 0, 0, time.UTC)
	ninth     = time.Date(2031, 3, 9, 10, 0, 0, 0, time.UTC)
)

// idOf returns the id of an observation's event in a log that was created at a time.
func idOf(t *testing.T, log time.Time, o lifecycle.Observation) string {
	t.Helper()
	enc := encoder()
	enc.Log = log
	m, err := encode(enc, o, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	e, err := event.Decode(m.Payload)
	if err != nil || e.ID() != m.ID {
		t.Fatalf("the event has id %q, the message %q, %v", e.ID(), m.ID, err)
	}
	return e.ID()
}

// running is a delivery for a running channel, received at a time.
func running(t *testing.T, received time.Time, change func(*lifecycle.Observation)) lifecycle.Observation {
	t.Helper()
	o := lifecycle.Observation{
		Key: key(t, lifecycle.LiveChannel, "harbor-live", "news"), State: "Running", Via: lifecycle.Webhook,
		Delivery: &lifecycle.Delivery{ID: "d-" + received.String(), Type: "MediaKind.ChannelInstanceStarted", Received: received},
		Source:   "/x", Subject: "x",
	}
	change(&o)
	return o
}

// polled turns an observation into one of a poll at a time, with a record that was last modified on the fourth.
func polled(at time.Time) func(*lifecycle.Observation) {
	return func(o *lifecycle.Observation) {
		o.Via, o.Delivery, o.SeenBefore, o.Modified = lifecycle.Poll, nil, at, fourth
	}
}

// MK.IO's time of a change identifies the occurrence, in any log and by any observation.
func TestOccurrenceHasOneIDInEveryLog(t *testing.T) {
	tests := map[string]func(*lifecycle.Observation){
		"time of the change":                  func(o *lifecycle.Observation) { o.At = fourth },
		"time of the change, in a life":       func(o *lifecycle.Observation) { o.At, o.Life = fourth, "life-1" },
		"time of the change, in another zone": func(o *lifecycle.Observation) { o.At = fourth.In(time.FixedZone("", 3600)) },
		"modification of a job in a usual state": func(o *lifecycle.Observation) {
			o.Key, o.State, o.Modified = key(t, lifecycle.Job, "p", "t", "j"), "Finished", fourth
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			a, b := idOf(t, created, running(t, fourth, change)), idOf(t, recreated, running(t, ninth, change))
			if a != b {
				t.Errorf("ids %s and %s", a, b)
			}
		})
	}
	zoned := idOf(t, created, running(t, fourth, tests["time of the change, in another zone"]))
	if plain := idOf(t, created, running(t, fourth, tests["time of the change"])); plain != zoned {
		t.Errorf("ids %s, and %s with the time in another zone", plain, zoned)
	}
}

// Occurrences that share a transition and a state, because the log between them was lost, have different ids.
func TestTwoOccurrencesNeverShareAnID(t *testing.T) {
	nothing := func(*lifecycle.Observation) {}
	type seen struct {
		log, at time.Time
		change  func(*lifecycle.Observation)
	}
	tests := map[string][2]seen{
		"another time of the change": {
			{created, fourth, func(o *lifecycle.Observation) { o.At = fourth }},
			{recreated, ninth, func(o *lifecycle.Observation) { o.At = ninth }},
		},
		"another time of the change, by a nanosecond": {
			{created, fourth, func(o *lifecycle.Observation) { o.At = fourth }},
			{recreated, fourth, func(o *lifecycle.Observation) { o.At = fourth.Add(1) }},
		},
		"another life, at the same time": {
			{created, fourth, func(o *lifecycle.Observation) { o.At, o.Life = fourth, "life-1" }},
			{recreated, fourth, func(o *lifecycle.Observation) { o.At, o.Life = fourth, "life-2" }},
		},
		"no time, in another log":                           {{created, fourth, nothing}, {recreated, fourth, nothing}},
		"no time, in a log that was restored":               {{created, fourth, nothing}, {created, ninth, nothing}},
		"a record not modified, in another log":             {{created, fourth, polled(ninth)}, {recreated, fourth, polled(ninth)}},
		"a record not modified, in a log that was restored": {{created, fourth, polled(fourth)}, {created, ninth, polled(ninth)}},
		"a record modified after the state before, and not by the change, in a log that was restored": {
			{created, fourth, func(o *lifecycle.Observation) { polled(ninth)(o); o.SeenAfter = fourth.Add(-time.Minute) }},
			{created, ninth, func(o *lifecycle.Observation) {
				polled(ninth.Add(time.Minute))(o)
				o.SeenAfter = fourth.Add(-time.Minute)
			}},
		},
		"a job in a state that may return": {
			{created, fourth, func(o *lifecycle.Observation) { polled(fourth)(o); o.Key = key(t, lifecycle.Job, "p", "t", "j") }},
			{created, ninth, func(o *lifecycle.Observation) { polled(ninth)(o); o.Key = key(t, lifecycle.Job, "p", "t", "j") }},
		},
	}
	for name, two := range tests {
		t.Run(name, func(t *testing.T) {
			a := idOf(t, two[0].log, running(t, two[0].at, two[0].change))
			if b := idOf(t, two[1].log, running(t, two[1].at, two[1].change)); a == b {
				t.Errorf("both have id %s", a)
			}
		})
	}
}

// The implied end of a life, and the first event of the next life, are of one observation.
func TestEventsOfAReusedNameHaveDifferentIDs(t *testing.T) {
	next := running(t, ninth, func(o *lifecycle.Observation) { o.State, o.Life = lifecycle.StateDeleted, "life-2" })
	ended := lifecycle.Deletion(lifecycle.Fact{Transition: 4, State: "Running", Life: "life-1"}, next)
	if a, b := idOf(t, created, ended), idOf(t, created, next); a == b {
		t.Errorf("both have id %s", a)
	}
}

// An observation that is written again, because the acknowledgement was lost, becomes an event with the same id.
func TestRetriedObservationHasTheSameID(t *testing.T) {
	for name, change := range map[string]func(*lifecycle.Observation){"of a delivery": func(*lifecycle.Observation) {}, "of a poll": polled(ninth)} {
		t.Run(name, func(t *testing.T) {
			o := running(t, ninth, change)
			if a, b := idOf(t, created, o), idOf(t, created, o); a != b {
				t.Errorf("ids %s and %s", a, b)
			}
		})
	}
}
