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

// A secretForm says what may stand around a secret without being part of it.
type secretForm uint8

const (
	plainSecret  secretForm = iota // nothing but a byte order mark and the end of a line: a password may hold anything
	tokenSecret                    // a token: blanks, quotes and a leading Bearer as well
	secretOfList                   // several of them, separated by commas or lines
)

// formOf is the form of the secret that a variable has.
func formOf(variable string) secretForm {
	switch {
	case strings.HasSuffix(variable, "_PASSWORD"):
		return plainSecret
	case strings.HasSuffix(variable, "_SECRETS"):
		return secretOfList
	}
	return tokenSecret
}

// What may stand around a secret, as operators are told.
const (
	aroundMark   = "a byte order mark"
	aroundBlanks = "blanks"
	aroundQuotes = "quotes"
	aroundBearer = "a leading Bearer"
)

// byteOrderMark is U+FEFF in UTF-8, which some tools write before a text.
const byteOrderMark = "\ufeff"

// errUTF16 is for a file that holds a secret in another encoding than it is sent in.
var errUTF16 = errors.New("it is UTF-16, as some tools for Windows write it: save it as UTF-8")

// read returns the secret of a text, and what stood around it and was left out. The end of a line is not worth a word.
func (f secretForm) read(text string) (value string, around []string, err error) {
	if isUTF16(text) {
		return "", nil, errUTF16
	}
	value, marked := strings.CutPrefix(text, byteOrderMark)
	if marked {
		around = append(around, aroundMark)
	}
	value = strings.TrimRight(value, "\r\n")
	switch f {
	case tokenSecret:
		value, around = unwrapped(value, around)
	case secretOfList:
		value, around = unwrapped(value, around)
		items := splitList(value)
		for i, item := range items {
			items[i], around = unwrapped(item, around)
		}
		value = strings.Join(items, ",")
	case plainSecret:
	}
	return value, around, nil
}

// unwrapped takes off what stands around a token, and adds to around what it was.
func unwrapped(text string, around []string) (token string, left []string) {
	add := func(what string) {
		if !slices.Contains(around, what) {
			around = append(around, what)
		}
	}
	for token = text; ; {
		before := token
		if token = strings.TrimFunc(token, invisible); token != before {
			add(aroundBlanks)
		}
		if inside, ok := unquoted(token); ok {
			token = inside
			add(aroundQuotes)
		}
		if rest, ok := withoutBearer(token); ok {
			token = rest
			add(aroundBearer)
		}
		if token == before {
			return token, around
		}
	}
}

// invisible says of a character whether nobody sees it at the end of a text.
func invisible(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' || r == '\u200b' }

// unquoted takes off a pair of quotes. Others within would be those of items of a list.
func unquoted(text string) (inside string, ok bool) {
	if len(text) < 2 || text[0] != text[len(text)-1] || text[0] != '"' && text[0] != '\'' {
		return text, false
	}
	inside = text[1 : len(text)-1]
	return inside, strings.IndexByte(inside, text[0]) < 0
}

// withoutBearer takes off the scheme of a header's value.
func withoutBearer(text string) (token string, ok bool) {
	const scheme = "bearer"
	if len(text) <= len(scheme) || !strings.EqualFold(text[:len(scheme)], scheme) || text[len(scheme)] != ' ' && text[len(scheme)] != '\t' {
		return text, false
	}
	return text[len(scheme)+1:], true
}

// isUTF16 says whether a text is UTF-16: by its byte order mark, or by the zero bytes that no text in UTF-8 has.
func isUTF16(text string) bool {
	return strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") || utf8.ValidString(text) && strings.Contains(text, "\x00")
}

// A wrappedSecret is a setting that has more in it than its secret.
type wrappedSecret struct {
	setting string
	around  []string // what was left out
}

// wrappedSecrets are the settings whose secrets had to be unwrapped, in the order of their names.
func (c *config) wrappedSecrets() []wrappedSecret {
	var all []wrappedSecret
	secrets := c.secrets()
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if w := secrets[name].wrapped(name); len(w.around) > 0 {
			all = append(all, w)
		}
	}
	return all
}

// wrapped is what stands around the secret of a variable, or of its file, as it is now.
func (s secret) wrapped(variable string) wrappedSecret {
	if s.source == nil {
		return wrappedSecret{}
	}
	s.source.mu.RLock()
	defer s.source.mu.RUnlock()
	if s.source.file != "" {
		variable += fileSuffix
	}
	return wrappedSecret{variable, s.source.around}
}

// warn writes that a secret had to be unwrapped, if it had.
func (w wrappedSecret) warn(log *slog.Logger) {
	if len(w.around) > 0 {
		log.Warn("characters around a secret are ignored", "setting", w.setting, "ignored", strings.Join(w.around, ", "), "do", unwrapAdvice)
	}
}

// unwrapAdvice is what to do with a secret that had to be unwrapped.
const unwrapAdvice = "set the secret alone, so that every program that reads it agrees"
