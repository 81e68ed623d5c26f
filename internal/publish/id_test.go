package publish_test

import (
	"testing"
	"time"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// ids returns those of all events of the log.
func (f *fixture) ids() []string {
	f.t.Helper()
	var ids []string
	for e, err := range eventlog.New(f.js, names).Events(f.t.Context(), eventlog.Query{}) {
		if err != nil {
			f.t.Fatal(err)
		}
		ids = append(ids, e.Event.ID)
	}
	return ids
}

// The store is lost, and the log begins anew with what came before or with what comes next.
func TestIDsAfterTheStoreWasLost(t *testing.T) {
	channel := key(t, lifecycle.LiveChannel, "news")
	untimed := func(minute int) lifecycle.Observation {
		o := told(channel, "Running", minute)
		o.At = time.Time{}
		o.Delivery.Time, o.Delivery.Received = time.Time{}, o.Delivery.Received.Add(time.Duration(minute)*time.Minute)
		return o
	}
	anotherLife := told(channel, "Running", 1)
	anotherLife.Life = "another"
	tests := []struct {
		name          string
		before, after lifecycle.Observation
		same          bool
	}{
		{"the same occurrence", told(channel, "Running", 1), told(channel, "Running", 1), true},
		{"another time", told(channel, "Running", 1), told(channel, "Running", 9), false},
		{"another life", told(channel, "Running", 1), anotherLife, false},
		{"no time of MK.IO", untimed(1), untimed(9), false},
		{"no time of MK.IO, told at the same time", untimed(1), untimed(1), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := setUp(t)
			p := f.publisher(false, nil)
			if err := p.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			f.want(p, tt.before, lifecycle.Changed)
			before := f.ids()
			f.remake(names.StateStream(), names.EventStream())
			p = f.publisher(false, nil)
			if err := p.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			f.want(p, tt.after, lifecycle.Changed)
			if after := f.ids(); len(before) != 1 || len(after) != 1 || (before[0] == after[0]) != tt.same {
				t.Errorf("ids %v before and %v after, want the same: %t", before, after, tt.same)
			}
		})
	}
}

// Whichever of two bridges on a log records an occurrence, the event has the same id.
func TestTwoBridgesGiveAnOccurrenceOneID(t *testing.T) {
	job := key(t, lifecycle.Job, "ladder-hd", "ep-0417")
	var ids []string
	for range 2 {
		f := setUp(t)
		p := f.publisher(false, nil)
		f.want(p, told(job, "Processing", 1), lifecycle.Changed)
		f.want(f.publisher(false, nil), told(job, "Processing", 1), lifecycle.Repeat)
		ids = append(ids, f.ids()...)
	}
	if len(ids) != 2 || ids[0] != ids[1] {
		t.Errorf("ids %v", ids)
	}
}
