package event

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// idDigits is how many digits an event's id has.
const idDigits = 32

// appendID derives the id of an event from the occurrence that it records: resource, life, transition, state, and MK.IO's
// time of the change. One occurrence therefore has one id, whichever bridge writes it, and has it again in the log that
// follows a lost store.
//
// Where MK.IO gives no such time, a log that begins anew, or that was restored to an earlier sequence, may give another
// occurrence the same transition and state. The identity of the log and the moment of the observation take the place of
// the time: the first tells apart logs that begin at the same resource, the second what was written to one log before and
// after it was restored. Such an id is the same for every retry of the observation, and no other log repeats it.
//
// An id is stored with its event and never derived a second time, so the events of earlier versions keep theirs.
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

// timeOfChange is MK.IO's time of the change that an observation reports; zero where no time is certain to be that of the
// change. A record's modification time counts only for a state that does not return within a life: MK.IO does not promise
// that a change of state modifies the record, so two changes to one state may show the same modification.
func timeOfChange(o *lifecycle.Observation) time.Time {
	switch {
	case !o.At.IsZero():
		return o.At
	case lifecycle.OncePerLife(o.Key.Kind, o.State):
		return o.Modified
	}
	return time.Time{}
}

// observedAt is the moment of an observation: of the response that showed the state, or of the delivery; else the moment
// the event is made.
func observedAt(o *lifecycle.Observation, recorded time.Time) time.Time {
	switch {
	case !o.SeenBefore.IsZero():
		return o.SeenBefore
	case o.Delivery != nil && !o.Delivery.Received.IsZero():
		return o.Delivery.Received
	}
	return recorded
}
