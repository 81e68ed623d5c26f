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
	for _, kind := range r.Filter.sampleKinds() {
		if state, ok := r.Filter.sampleState(kind); ok {
			return r.sampleOf(kind, state, names, now)
		}
	}
	return e, nil, fmt.Errorf("the filter (%s) selects no event: none of its states has one of its phases", r.Filter)
}

// sampleOf returns an event of a kind and state.
func (r *Rule) sampleOf(kind lifecycle.Kind, state string, names event.Names, now time.Time) (e event.Event, payload []byte, err error) {
	f := r.Filter
	name := strings.NewReplacer("*", "sample", "?", "x").Replace(first(f.Name, "sample"))
	if strings.ContainsAny(name, `[\`) { // a name is not made up for every pattern
		f.Name, name = nil, "sample"
	}
	path := []string{"sample-1", "sample-2", "sample-3"}[:kind.Depth()]
	path[len(path)-1] = name
	if kind == lifecycle.ScheduledOperation {
		path[0] = string(lifecycle.LiveChannel)
	}
	key, err := lifecycle.NewKey(kind, first(f.Project, "sample-project"), path...)
	if err != nil {
		return e, nil, err
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

// sampleKinds returns the kinds that the filter selects; a job first if it selects all.
func (f Filter) sampleKinds() []lifecycle.Kind {
	if len(f.Kind) == 0 {
		return append([]lifecycle.Kind{lifecycle.Job}, lifecycle.Kinds()...)
	}
	var kinds []lifecycle.Kind
	for _, kind := range f.Kind {
		kinds = append(kinds, lifecycle.Kind(kind))
	}
	return kinds
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
		states = append(states, "SampleState") // in phase unknown
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
