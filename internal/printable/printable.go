// Package printable makes text of elsewhere safe to show: names, states and sentences of MK.IO, of somebody's server or of
// a stored message may have control characters in them, which a terminal would obey. Text without any stays as it is, so
// that it can be copied; other text is quoted as Go quotes it.
package printable

import (
	"strconv"
	"strings"
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
