package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// digestMember is the member of an evidence file that has its digest.
const digestMember = "digest"

// digestOf returns the SHA-256, in hex, of the canonical form (RFC 8785) of a JSON object without its digest. It depends on what
// the object says, not on how it is written.
func digestOf(object []byte) (string, error) {
	if !jsontext.Value(object).IsValid() { // also for names that occur twice
		return "", errors.New("it is not valid JSON")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return "", errors.New("it is not a JSON object")
	}
	delete(members, digestMember)
	rest, err := json.Marshal(members)
	if err != nil {
		return "", err
	}
	canonical := jsontext.Value(rest)
	if err := canonical.Canonicalize(); err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

// ParseEvidence parses an evidence file. changed says in which way the file is not as it was made; "" if it is.
func ParseEvidence(file []byte) (e *Evidence, changed string, err error) {
	digest, err := digestOf(file)
	if err != nil {
		return nil, "", err
	}
	e = &Evidence{}
	if err := json.Unmarshal(file, e); err != nil {
		return nil, "", fmt.Errorf("it is no evidence file: %w", err)
	}
	if err := e.validate(); err != nil {
		return nil, "", err
	}
	if e.Digest != digest {
		changed = fmt.Sprintf("the file was changed after it was made: its digest is %.64q, and that of its content is %s", e.Digest, digest)
	}
	return e, changed, nil
}
