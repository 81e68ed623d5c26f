package mkio

import (
	"fmt"
	"unicode/utf8"

	"mkio-bridge/internal/lifecycle"
)

// A Rejection is the error of a delivery that is not decoded to an observation.
type Rejection struct {
	Reason lifecycle.Reason // malformed or unrecognised
	Detail string           // what is wrong, and where; short, without secrets
}

func (r *Rejection) Error() string { return string(r.Reason) + ": " + r.Detail }

func malformed(format string, args ...any) error {
	return &Rejection{Reason: lifecycle.ReasonMalformed, Detail: fmt.Sprintf(format, args...)}
}

func unrecognised(format string, args ...any) error {
	return &Rejection{Reason: lifecycle.ReasonUnrecognised, Detail: fmt.Sprintf(format, args...)}
}

// maxQuoted is how many bytes of a delivery a rejection quotes.
const maxQuoted = 80

// quote quotes a part of a delivery, redacted.
func quote(s string) string { return fmt.Sprintf("%q", cut(redactText(s), maxQuoted)) }

// cut shortens s to at most size bytes without splitting a rune.
func cut(s string, size int) string {
	if len(s) <= size {
		return s
	}
	for size > 0 && !utf8.RuneStart(s[size]) {
		size--
	}
	return s[:size]
}
