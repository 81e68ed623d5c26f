package main

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A secretForm determines which characters around a secret are ignored.
type secretForm uint8

const (
	plainSecret secretForm = iota // a byte order mark and the line end; a password may contain everything else
	tokenSecret                   // also blanks, quotes and a leading Bearer
	secretList                    // tokens, separated by commas or lines
)

// formOf returns the form of the secret in a variable.
func formOf(variable string) secretForm {
	switch {
	case strings.HasSuffix(variable, "_PASSWORD"):
		return plainSecret
	case strings.HasSuffix(variable, "_SECRETS"):
		return secretList
	}
	return tokenSecret
}

// What is ignored around a secret, in the words of warnings.
const (
	ignoredMark   = "a byte order mark"
	ignoredBlanks = "blanks"
	ignoredQuotes = "quotes"
	ignoredBearer = "a leading Bearer"
)

// byteOrderMark is U+FEFF in UTF-8. Some tools write it at the start of a file.
const byteOrderMark = "\ufeff"

// errUTF16 is for a secret that is not stored in UTF-8.
var errUTF16 = errors.New("the content is UTF-16, as some Windows tools write it: save it as UTF-8")

// read returns the secret in a text, and what was ignored around it, except for a line end.
func (f secretForm) read(text string) (value string, ignored []string, err error) {
	if isUTF16(text) {
		return "", nil, errUTF16
	}
	value, marked := strings.CutPrefix(text, byteOrderMark)
	if marked {
		ignored = append(ignored, ignoredMark)
	}
	value = strings.TrimRight(value, "\r\n")
	switch f {
	case tokenSecret:
		value, ignored = trimToken(value, ignored)
	case secretList:
		value, ignored = trimToken(value, ignored)
		items := splitList(value)
		for i, item := range items {
			items[i], ignored = trimToken(item, ignored)
		}
		value = strings.Join(items, ",")
	case plainSecret:
	}
	return value, ignored, nil
}

// trimToken trims the characters around a token, and adds their names to ignored.
func trimToken(text string, ignored []string) (token string, allIgnored []string) {
	add := func(what string) {
		if !slices.Contains(ignored, what) {
			ignored = append(ignored, what)
		}
	}
	for token = text; ; {
		before := token
		if token = strings.TrimFunc(token, invisible); token != before {
			add(ignoredBlanks)
		}
		if inside, ok := unquoted(token); ok {
			token = inside
			add(ignoredQuotes)
		}
		if rest, ok := withoutBearer(token); ok {
			token = rest
			add(ignoredBearer)
		}
		if token == before {
			return token, ignored
		}
	}
}

// invisible reports whether a character is invisible at the end of a text.
func invisible(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' || r == '\u200b' }

// unquoted removes a pair of quotes, unless the text contains more of them: these quote the items of a list.
func unquoted(text string) (inside string, ok bool) {
	if len(text) < 2 || text[0] != text[len(text)-1] || text[0] != '"' && text[0] != '\'' {
		return text, false
	}
	inside = text[1 : len(text)-1]
	return inside, strings.IndexByte(inside, text[0]) < 0
}

// withoutBearer removes a leading authorization scheme Bearer.
func withoutBearer(text string) (token string, ok bool) {
	const scheme = "bearer"
	if len(text) <= len(scheme) || !strings.EqualFold(text[:len(scheme)], scheme) || text[len(scheme)] != ' ' && text[len(scheme)] != '\t' {
		return text, false
	}
	return text[len(scheme)+1:], true
}

// isUTF16 reports whether a text is UTF-16: it has that byte order mark, or zero bytes, which no UTF-8 text has.
func isUTF16(text string) bool {
	return strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") || utf8.ValidString(text) && strings.Contains(text, "\x00")
}

// A trimmedSecret is a setting whose value had characters around the secret.
type trimmedSecret struct {
	setting string
	ignored []string // names of these characters
}

// trimmedSecrets returns the settings whose values had characters around their secrets, in alphabetical order.
func (c *config) trimmedSecrets() []trimmedSecret {
	var all []trimmedSecret
	secrets := c.secrets()
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if w := secrets[name].trimmed(name); len(w.ignored) > 0 {
			all = append(all, w)
		}
	}
	return all
}

// trimmed returns what is ignored around the current secret of a variable or its file; nothing is ignored when the result
// has no names.
func (s secret) trimmed(variable string) trimmedSecret {
	if s.source == nil {
		return trimmedSecret{}
	}
	s.source.mu.RLock()
	defer s.source.mu.RUnlock()
	if s.source.file != "" {
		variable += fileSuffix
	}
	return trimmedSecret{variable, s.source.ignored}
}

// warn logs what is ignored around the secret, if anything.
func (w trimmedSecret) warn(log *slog.Logger) {
	if len(w.ignored) > 0 {
		log.Warn("characters around a secret are ignored", "setting", w.setting, "ignored", strings.Join(w.ignored, ", "), "do", trimAdvice)
	}
}

// trimAdvice is what to do about a trimmedSecret.
const trimAdvice = "remove them, so that every program that reads the secret gets the same"
