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
	ReasonConflict     Reason = "conflict"     // no evidence orders observation and recorded state
	ReasonMalformed    Reason = "malformed"    // no JSON, or not a delivery
	ReasonUnrecognised Reason = "unrecognised" // of an unknown kind or project
)

// Reasons returns every reason.
func Reasons() []Reason {
	return []Reason{ReasonLate, ReasonConflict, ReasonMalformed, ReasonUnrecognised}
}

// An Unapplied is an authenticated delivery that became no event. It is stored, so that no acknowledged delivery is lost.
type Unapplied struct {
	Reason   Reason
	Detail   string // the error, or the reason of the verdict
	Key      *Key   // the resource; nil if the delivery names none
	Body     []byte // redacted where it parses
	Digest   string // lower-case hex SHA-256 of the body as received, which identifies duplicates
	Length   int    // bytes of the body as received
	Received time.Time
}

// Cut reports whether Body lacks its end, because of the payload limit. A body as received has its digest, and a redacted
// one is compact JSON; a truncated one is neither.
func (u Unapplied) Cut() bool {
	digest := sha256.Sum256(u.Body)
	if hex.EncodeToString(digest[:]) == u.Digest {
		return false
	}
	var compact bytes.Buffer
	return json.Compact(&compact, u.Body) != nil || !bytes.Equal(compact.Bytes(), u.Body)
}
