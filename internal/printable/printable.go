// Package printable makes text of elsewhere safe to show: names, states and sentences of MK.IO, of somebody's server or of
// a stored message may have control characters in them, which a terminal would obey. Text without any stays as it is, so
// that it can be copied; other text is quoted as Go quotes it.
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

// Name shows a name or a state. One that is empty, or has quotes in it, is quoted too: it would be taken for another.
func Name(s string) string {
	if quoted := strconv.Quote(s); s == "" || quoted != `"`+s+`"` {
		return quoted
	}
	return s
}

// Sentence shows a sentence, in which quotes are nothing special.
func Sentence(s string) string {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// Body shows a stored body: JSON on lines of its own, anything else quoted.
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
		default: // it stands in a string, where JSON spells it so
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
