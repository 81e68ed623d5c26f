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
		name, came, kept string
		want             bool
	}{
		{"as it came", "no JSON", "no JSON", false},
		{"nothing", "", "", false},
		{"redacted", `{ "key": "secret" }`, `{"key":"[redacted]"}`, false},
		{"redacted, and longer than it came", `{"key":"x"}`, `{"key":"[redacted]"}`, false},
		{"the beginning of what is no JSON", strings.Repeat("x", 100), strings.Repeat("x", 50), true},
		{"the beginning of JSON", `{"a":"b"}`, `{"a":`, true},
		{"the beginning of what was redacted", `{"key":"x"}`, `{"key":"[red`, true},
		{"JSON, and what followed it is gone", `{"a":1}     {`, `{"a":1}   `, true},
		{"all of it is gone", "x", "", true},
	} {
		digest := sha256.Sum256([]byte(tt.came))
		u := Unapplied{Body: []byte(tt.kept), Digest: hex.EncodeToString(digest[:]), Length: len(tt.came)}
		if got := u.Cut(); got != tt.want {
			t.Errorf("%s: Cut is %t", tt.name, got)
		}
	}
}
