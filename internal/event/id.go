package event

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// idDigits is the length of an event's id, in hex digits.
const idDigits = 32

// appendID derives the id of an event from the occurrence that it records: resource, life, transition, state, and MK.IO's
// time of the change. So one occurrence has one id, whichever bridge writes it, and gets it again in the new log after a
// store was lost.
//
// Without such a time, a new log, or one that was restored to an earlier sequence, may give another occurrence the same
// transition and state. Then the id is derived from the identity of the log and the time of the observation instead: the
// first differs between logs, the second between occurrences before and after a restore of one log. Such an id is the same
// for every retry of the observation, and no other log repeats it.
//
// An id is stored with its event and never derived again, so events of older versions keep theirs.
func (enc Encoder) appendID(b []byte, resource string, transition uint64, o *lifecycle.Observation, recorded time.Time) []byte {
	var buffer [512]byte
	of := append(append(buffer[:0], resource...), '\n')
	of = append(strconv.AppendUint(of, transition, 10), '\n')
	of = append(strconv.AppendQuote(of, o.Life), '\n')
	if changed := timeOfChange(o); !changed.IsZero() {
		of = changed.UTC().AppendFormat(append(of, "at "...), time.RFC3339Nano)
	} else {
		of = enc.Log.UTC().AppendFormat(append(of, "log "...), time.RFC3339Nano)
		of = observedAt(o, recorded).UTC().AppendFormat(append(of, ' '), time.RFC3339Nano)
	}
	sum := sha256.Sum256(appendLower(append(of, '\n'), o.State))
	return hex.AppendEncode(b, sum[:idDigits/2])
}

// timeOfChange returns MK.IO's time of the observed change; zero if no time is certain to be that of the change. A record's
// modification time counts only for a state that does not return within a life: MK.IO does not promise that a change of
// state modifies the record, so two changes to one state may have the same modification time.
func timeOfChange(o *lifecycle.Observation) time.Time {
	switch {
	case !o.At.IsZero():
		return o.At
	case lifecycle.OncePerLife(o.Key.Kind, o.State):
		return o.Modified
	}
	return time.Time{}
}

// observedAt returns the time of an observation: of the response with the state, or of the delivery; else the time of
// recording.
func observedAt(o *lifecycle.Observation, recorded time.Time) time.Time {
	switch {
	case !o.SeenBefore.IsZero():
		return o.SeenBefore
	case o.Delivery != nil && !o.Delivery.Received.IsZero():
		return o.Delivery.Received
	}
	return recorded
}
