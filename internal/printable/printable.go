// Package printable makes foreign text safe to print: names, states and sentences of MK.IO, of other servers and of stored
// messages may contain control characters, which a terminal would execute. Text without them is unchanged, so that it can be
// copied; other text is quoted as in Go.
package printable

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Name returns a name or a state for printing. An empty one, and one that contains quotes, is quoted too, because it would
// be ambiguous.
func Name(s string) string {
	if quoted := strconv.Quote(s); s == "" || quoted != `"`+s+`"` {
		return quoted
	}
	return s
}

// Sentence returns a sentence for printing. Quotes in it are allowed.
func Sentence(s string) string {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// Body returns a stored body for printing: JSON is indented, anything else quoted.
func Body(body []byte) string {
	var pretty bytes.Buffer
	if !utf8.Valid(body) || json.Indent(&pretty, bytes.TrimSpace(body), "", "  ") != nil {
		return strconv.Quote(string(body))
	}
	var b strings.Builder
	for _, r := range pretty.String() {
		switch {
		case r == '\n' || strconv.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default: // inside a JSON string, where this escape is valid
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
