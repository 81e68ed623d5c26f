package event_test

import (
	"testing"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

var (
	logMade   = time.Date(2031, 3, 1, 8, 0, 0, 123, time.UTC)
	remade    = logMade.Add(72 * time.Hour)
	fourth    = time.Date(2031, 3, 4, 10, 0, 0, 0, time.UTC)
	ninth     = time.Date(2031, 3, 9, 10, 0, 0, 0, time.UTC)
	delivered = &lifecycle.Delivery{ID: "d-1", Type: "MediaKind.ChannelInstanceStarted", Received: fourth}
)

// idOf is the id of an observation's event in a log that was made at some time.
func idOf(t *testing.T, log time.Time, o lifecycle.Observation, before *lifecycle.Fact) string {
	t.Helper()
	enc := encoder()
	enc.Log = log
	m, err := encode(enc, o, before, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	e, err := event.Decode(m.Payload)
	if err != nil || e.ID != m.ID {
		t.Fatalf("the event has id %q, the message %q, %v", e.ID, m.ID, err)
	}
	return e.ID
}

func running(t *testing.T, change func(*lifecycle.Observation)) lifecycle.Observation {
	t.Helper()
	o := lifecycle.Observation{
		Key: key(t, lifecycle.LiveChannel, "harbor-live", "news"), State: "Running", Via: lifecycle.Webhook, Delivery: delivered,
		Source: "/x", Subject: "x",
	}
	change(&o)
	return o
}

// MK.IO's time of a change tells the occurrence, in whatever log it is recorded and whoever records it.
func TestAnOccurrenceHasOneIDInEveryLog(t *testing.T) {
	tests := map[string]func(*lifecycle.Observation){
		"time of the change": func(o *lifecycle.Observation) { o.At = fourth },
		"modified since the state before was shown": func(o *lifecycle.Observation) {
			o.Modified, o.SeenAfter, o.SeenBefore = fourth, fourth.Add(-time.Minute), fourth.Add(time.Minute)
		},
		"modification of a job": func(o *lifecycle.Observation) {
			o.Key, o.State, o.Modified = key(t, lifecycle.Job, "p", "t", "j"), "Finished", fourth
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			one, other := running(t, change), running(t, change)
			other.Delivery = &lifecycle.Delivery{ID: "d-2", Type: "MediaKind.Other", Received: ninth}
			if !other.SeenBefore.IsZero() {
				other.SeenBefore = other.SeenBefore.Add(time.Second)
			}
			if a, b := idOf(t, logMade, one, nil), idOf(t, remade, other, nil); a != b {
				t.Errorf("ids %s and %s", a, b)
			}
		})
	}
}

// Two occurrences that a log which began anew cannot tell apart by their transition and state have ids of their own.
func TestTwoOccurrencesNeverShareAnID(t *testing.T) {
	still := func(o *lifecycle.Observation) {}
	type seen struct {
		log    time.Time
		change func(*lifecycle.Observation)
	}
	tests := map[string][2]seen{
		"at another time": {
			{logMade, func(o *lifecycle.Observation) { o.At = fourth }},
			{remade, func(o *lifecycle.Observation) { o.At = ninth }},
		},
		"of another life at the same time": {
			{logMade, func(o *lifecycle.Observation) { o.At, o.Life = fourth, "life-1" }},
			{remade, func(o *lifecycle.Observation) { o.At, o.Life = fourth, "life-2" }},
		},
		"without a time, in another log": {{logMade, still}, {remade, still}},
		"without a time, in a log that was restored": {
			{logMade, still},
			{logMade, func(o *lifecycle.Observation) {
				o.Delivery = &lifecycle.Delivery{ID: "d-9", Type: delivered.Type, Received: ninth}
			}},
		},
		"polled in a record that its changes of state do not modify": {
			{logMade, func(o *lifecycle.Observation) {
				o.Modified, o.Via, o.Delivery, o.SeenBefore = fourth, lifecycle.Poll, nil, fourth
			}},
			{remade, func(o *lifecycle.Observation) {
				o.Modified, o.Via, o.Delivery, o.SeenBefore = fourth, lifecycle.Poll, nil, ninth
			}},
		},
	}
	for name, two := range tests {
		t.Run(name, func(t *testing.T) {
			a := idOf(t, two[0].log, running(t, two[0].change), nil)
			if b := idOf(t, two[1].log, running(t, two[1].change), nil); a == b {
				t.Errorf("both have id %s", a)
			}
		})
	}
}
