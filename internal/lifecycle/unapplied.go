package lifecycle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// A Reason says why an authenticated delivery became no event.
type Reason string

// The reasons.
const (
	ReasonLate         Reason = "late"         // older than the recorded state, and never recorded
	ReasonConflict     Reason = "conflict"     // no evidence orders it and the recorded state
	ReasonMalformed    Reason = "malformed"    // no JSON, or not of the shape of a delivery
	ReasonUnrecognised Reason = "unrecognised" // of nothing the bridge knows
)

// Reasons returns every reason.
func Reasons() []Reason {
	return []Reason{ReasonLate, ReasonConflict, ReasonMalformed, ReasonUnrecognised}
}

// An Unapplied is an authenticated delivery that became no event. It is kept, so that nothing that
// was acknowledged is lost.
type Unapplied struct {
	Reason   Reason
	Detail   string // what was wrong, or which evidence spoke against it
	Key      *Key   // the resource; nil when the delivery names none
	Body     []byte // redacted where it parses
	Digest   string // lower-case hex SHA-256 of the body as it came, by which repeats are known
	Length   int    // bytes of the body as it came
	Received time.Time
}

// Cut says whether the end of the body was not kept, for want of room. What is kept as it came has its digest; what
// was redacted is JSON without blanks; a beginning is neither.
func (u Unapplied) Cut() bool {
	digest := sha256.Sum256(u.Body)
	if hex.EncodeToString(digest[:]) == u.Digest {
		return false
	}
	var compact bytes.Buffer
	return json.Compact(&compact, u.Body) != nil || !bytes.Equal(compact.Bytes(), u.Body)
}
