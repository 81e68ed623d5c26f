package lifecycle_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	. "mkio-bridge/internal/lifecycle"
)

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		name, received, stored string
		want                   bool
	}{
		{"as received", "no JSON", "no JSON", false},
		{"nothing", "", "", false},
		{"redacted", `{ "key": "secret" }`, `{"key":"[redacted]"}`, false},
		{"redacted, and longer than received", `{"key":"x"}`, `{"key":"[redacted]"}`, false},
		{"cut, no JSON", strings.Repeat("x", 100), strings.Repeat("x", 50), true},
		{"cut JSON", `{"a":"b"}`, `{"a":`, true},
		{"redacted and cut", `{"key":"x"}`, `{"key":"[red`, true},
		{"JSON, and the rest after it is cut", `{"a":1}     {`, `{"a":1}   `, true},
		{"all of it is cut", "x", "", true},
	} {
		digest := sha256.Sum256([]byte(tt.received))
		u := Unapplied{Body: []byte(tt.stored), Digest: hex.EncodeToString(digest[:]), Length: len(tt.received)}
		if got := u.Cut(); got != tt.want {
			t.Errorf("%s: Cut is %t", tt.name, got)
		}
	}
}
