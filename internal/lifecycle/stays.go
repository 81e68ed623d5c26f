package lifecycle

import (
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Transient reports whether a resource must leave its state by itself, so that a long stay means that it is stuck, and
// returns the state as it is listed. Not every state in motion is transient: a pending asset waits for media, and a channel
// waits to be started.
func Transient(kind Kind, state, provisioning string) (listed string, ok bool) {
	switch phase := PhaseOf(kind, state, provisioning); {
	case phase == Transitional, phase == Deleting, phase == Initial && kind == Job:
	default:
		return "", false
	}
	for _, list := range [][]StateInfo{kindStates[kind], commonStates} {
		for _, s := range list {
			if SameState(s.State, state) {
				return s.State, true
			}
		}
	}
	return "", false
}

// Since returns when the resource reached the recorded state, which is the time of its event: MK.IO's time of the change,
// else the record's modification time (unless a later response still had the former state), else the time of the
// observation, else that of recording; zero if the event's headers have none.
func (f Fact) Since() time.Time {
	switch {
	case !f.At.IsZero():
		return f.At
	case f.TimeFromMKIO():
		return f.Modified
	case !f.SeenBefore.IsZero():
		return f.SeenBefore
	}
	return f.Recorded
}

// TimeFromMKIO reports whether [Fact.Since] is a time that MK.IO gave, not one of an observation.
func (f Fact) TimeFromMKIO() bool {
	return !f.At.IsZero() || !f.Modified.IsZero() && !f.Modified.Before(f.SeenAfter)
}

// Stays are the last completed stays of a resource in its transient states: how long it was in each, the latest first, for
// example "Queued=12.3&Processing=301,288". Every event has those of its resource, so that the last events of all resources
// show how long a state usually lasts, without a scan of the log.
type Stays string

// Limits of the stays of a resource.
const (
	maxStays      = 8 // of each state
	maxStayStates = 8
)

// StaysAfter returns the stays of a resource whose state previous (nil: none) ended with next. A stay does not count if its
// beginning was not observed, or if the resource was deleted before it left the state.
func StaysAfter(kind Kind, previous *Fact, next Fact) Stays {
	if previous == nil {
		return ""
	}
	state, ok := Transient(kind, previous.State, previous.Provisioning)
	began, ended := previous.Since(), next.Since()
	observed := !previous.At.IsZero() || !previous.Modified.IsZero() || !previous.SeenAfter.IsZero()
	deleted := SameState(next.State, StateDeleted) && PhaseOf(kind, previous.State, previous.Provisioning) != Deleting
	if !ok || !observed || deleted || began.IsZero() || ended.Before(began) || SameState(previous.State, next.State) && !ProvisioningFailed(next.Provisioning) {
		return previous.Stays
	}
	return previous.Stays.with(state, ended.Sub(began))
}

// with adds a stay.
func (s Stays) with(state string, d time.Duration) Stays {
	var buffer [256]byte
	b, name, former := buffer[:0], url.QueryEscape(state), ""
	skip := strings.Count(string(s), "&") + 2 - maxStayStates // the states that would be too many, the oldest first
	for entry := range strings.SplitSeq(string(s), "&") {
		if of, stays, ok := strings.Cut(entry, "="); ok && of == name {
			former = stays
		} else if skip--; ok && skip < 0 {
			b = append(append(b, entry...), '&')
		}
	}
	b = appendStay(append(append(b, name...), '='), d)
	count := 1
	for stay := range strings.SplitSeq(former, ",") {
		if count++; stay != "" && count <= maxStays {
			b = append(append(b, ','), stay...)
		}
	}
	return Stays(b)
}

// appendStay appends a duration in seconds, with three digits.
func appendStay(b []byte, d time.Duration) []byte {
	seconds, decimals := d.Seconds(), 2
	switch {
	case seconds >= 100:
		decimals = 0
	case seconds >= 10:
		decimals = 1
	}
	return strconv.AppendFloat(b, seconds, 'f', decimals, 64)
}

// All returns each stay with its state. What cannot be parsed is skipped.
func (s Stays) All() iter.Seq2[string, time.Duration] {
	return func(yield func(string, time.Duration) bool) {
		for entry := range strings.SplitSeq(string(s), "&") {
			name, stays, ok := strings.Cut(entry, "=")
			state, err := url.QueryUnescape(name)
			if !ok || err != nil {
				continue
			}
			for text := range strings.SplitSeq(stays, ",") {
				seconds, err := strconv.ParseFloat(text, 64)
				if err != nil || !(seconds >= 0 && seconds <= maxStaySeconds) {
					continue
				}
				if !yield(state, time.Duration(seconds*float64(time.Second))) {
					return
				}
			}
		}
	}
}

// maxStaySeconds is the longest stay that is parsed: a hundred years.
const maxStaySeconds = 100 * 365 * 24 * 3600
