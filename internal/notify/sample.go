package notify

import (
	"fmt"
	"strings"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// Sample returns an event that the rule's filter selects, made up for a test of the rule, and its payload.
func (r *Rule) Sample(names event.Names, now time.Time) (e event.Event, payload []byte, err error) {
	f := r.Filter
	kind := lifecycle.Kind(first(f.Kind, string(lifecycle.Job)))
	path := []string{"sample-1", "sample-2", "sample-3"}[:kind.Depth()]
	path[len(path)-1] = strings.NewReplacer("*", "sample", "?", "x").Replace(first(f.Name, "sample"))
	if kind == lifecycle.ScheduledOperation {
		path[0] = string(lifecycle.LiveChannel)
	}
	key, err := lifecycle.NewKey(kind, first(f.Project, "sample-project"), path...)
	if err != nil {
		return e, nil, err
	}
	state, ok := f.sampleState(kind)
	if !ok {
		return e, nil, fmt.Errorf("the filter selects no state of a %s: phase %s has none of the states %s", kind, f.Phase, f.State)
	}
	o := lifecycle.Observation{
		Key: key, State: state, Life: now.UTC().Format(time.RFC3339), At: now, Via: lifecycle.Via(first(f.Via, string(lifecycle.Webhook))),
		Source: "/sample", Subject: "sample",
	}
	if lifecycle.PhaseOf(kind, state, "") == lifecycle.Failed {
		o.Problems = []lifecycle.Problem{{Code: "SampleError", Message: "this event was made up for a test"}}
	}
	var m event.Message
	if err := (event.Encoder{Names: names, BaseURL: "https://mkio-bridge.invalid", MaxPayload: 1 << 20}).Encode(&m, o, nil, now); err != nil {
		return e, nil, err
	}
	if e, err = event.Decode(m.Payload); err == nil && !f.Match(e) {
		err = fmt.Errorf("no sample event could be made that the filter (%s) selects", f)
	}
	return e, m.Payload, err
}

// first returns the first of some words, or another word if there are none.
func first(w Words, instead string) string {
	if len(w) == 0 {
		return instead
	}
	return w[0]
}

// sampleState returns a state of a kind that the filter selects.
func (f Filter) sampleState(kind lifecycle.Kind) (state string, ok bool) {
	var states []string
	for _, s := range f.State {
		if strings.EqualFold(s, unsetState) {
			s = ""
		}
		states = append(states, s)
	}
	if len(states) == 0 {
		for _, s := range lifecycle.States(kind) {
			states = append(states, s.State)
		}
	}
	for _, s := range states {
		if f.Phase.has(string(lifecycle.PhaseOf(kind, s, ""))) && (s != "" || len(f.State) > 0) {
			return s, true
		}
	}
	return "", false
}

// Check returns an error if the rule cannot make a message for an event that it selects.
func (r *Rule) Check(names event.Names) error {
	e, payload, err := r.Sample(names, time.Now())
	if err == nil {
		_, err = r.Render(e, payload, 1)
	}
	return err
}
