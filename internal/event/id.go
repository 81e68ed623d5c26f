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

// appendID derives the id of an event of a resource from the occurrence that it records: which transition of which life to
// which state, and MK.IO's time of the change. So an occurrence has one id, whichever bridge writes it and also in another
// log, such as the one that follows after a store was lost. Where MK.IO tells no such time, another occurrence could look
// the same to a log that begins anew, or to one that was restored to what it was before: the log's own identity and the
// time of the observation stand in, and such an event has an id that no other log gives.
//
// The id is stored with the event. Nothing derives it a second time.
func (enc Encoder) appendID(b []byte, resource string, transition uint64, o *lifecycle.Observation, observed time.Time) []byte {
	var room [512]byte
	of := append(append(room[:0], resource...), '\n')
	of = append(strconv.AppendUint(of, transition, 10), '\n')
	of = append(strconv.AppendQuote(of, o.Life), '\n')
	if changed := timeOfChange(o); !changed.IsZero() {
		of = changed.UTC().AppendFormat(append(of, "at "...), time.RFC3339Nano)
	} else {
		of = strconv.AppendInt(append(of, "log "...), enc.Log.UnixNano(), 10)
		of = observed.UTC().AppendFormat(append(of, ' '), time.RFC3339Nano)
	}
	sum := sha256.Sum256(appendLower(append(of, '\n'), o.State))
	return hex.AppendEncode(b, sum[:idDigits/2])
}

// timeOfChange is MK.IO's time of the very change that an observation tells; zero where it tells none for certain. The
// record's modification time is one where the state before was still shown earlier, and for a job, whose states do not
// come back. Of anything else the record may have been modified long before, in the same state or another.
func timeOfChange(o *lifecycle.Observation) time.Time {
	switch {
	case !o.At.IsZero():
		return o.At
	case !o.SeenAfter.IsZero() && !o.Modified.Before(o.SeenAfter):
		return o.Modified
	case o.Key.Kind == lifecycle.Job && lifecycle.PhaseOf(lifecycle.Job, o.State, "") != lifecycle.Unknown:
		return o.Modified
	}
	return time.Time{}
}
