package mkio

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// JSON of MK.IO or a customer is published in events, and consumers read events with all kinds of parsers and databases.
// Some reject a whole event for one member of it: a lone surrogate (serde_json, PostgreSQL's jsonb), duplicate member names,
// a number that overflows a float64 (I-JSON, RFC 7493). So all input becomes strict JSON first, under every policy:
//
//   - each lone surrogate becomes U+FFFD, in names as well
//   - of duplicate member names the last stays, as everything here reads them
//   - a number that overflows a float64 becomes a string with its digits, as RFC 7493 advises
//
// Everything else keeps its spelling, including the digits of numbers.

// isStrict reports whether a text is strict JSON already, as nearly all is; false for invalid JSON.
func isStrict(raw []byte) bool {
	return jsontext.Value(raw).IsValid() && !hasOverflowingNumber(raw)
}

// strict returns a valid value as strict JSON.
func strict(v value) value {
	d := duplicateMembers{cursor: cursor{in: v}, dropped: map[int]bool{}}
	d.value()
	w := strictWriter{cursor: cursor{in: v}, dropped: d.dropped, out: make([]byte, 0, len(v))}
	w.value()
	return w.out
}

// minOverflowDigits is the least length of a number without exponent that overflows a float64.
const minOverflowDigits = 309

// hasOverflowingNumber reports whether a number in a value overflows a float64.
func hasOverflowingNumber(v value) bool {
	for i := 0; i < len(v); {
		switch c := v[i]; {
		case c == '"':
			i = endOfString(v, i)
		case isDigit(c):
			from := i
			i = end(v, from)
			if overflowsFloat64(v[from:i]) {
				return true
			}
		default:
			i++
		}
	}
	return false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// overflowsFloat64 reports whether a number, with or without its sign, overflows a float64.
func overflowsFloat64(number value) bool {
	if len(number) < minOverflowDigits && bytes.IndexByte(number, 'e') < 0 && bytes.IndexByte(number, 'E') < 0 {
		return false
	}
	_, err := strconv.ParseFloat(string(number), 64)
	return errors.Is(err, strconv.ErrRange)
}

// duplicateMembers finds the members that are followed by another one of the same name.
type duplicateMembers struct {
	cursor
	dropped map[int]bool // by the positions of the members
}

func (d *duplicateMembers) value() {
	switch d.peek() {
	case '{':
		last := map[string]int{}
		for d.enter(); d.more(); {
			at := d.at
			name, _ := d.name().text() // lone surrogates are replaced
			if earlier, ok := last[name]; ok {
				d.dropped[earlier] = true
			}
			last[name] = at
			d.value()
		}
	case '[':
		for d.enter(); d.more(); {
			d.value()
		}
	default:
		d.token()
	}
}

// A strictWriter copies a value as strict JSON in one pass.
type strictWriter struct {
	cursor
	dropped map[int]bool
	out     []byte
}

func (w *strictWriter) value() {
	switch c := w.peek(); {
	case c == '{':
		w.object()
	case c == '[':
		w.out = append(w.out, '[')
		for w.enter(); w.more(); w.out = append(w.out, ',') {
			w.value()
		}
		w.out = closeValue(w.out, ']')
	case c == '"':
		w.text(w.token())
	case c == '-' || isDigit(c):
		w.number(w.token())
	default:
		w.out = append(w.out, w.token()...)
	}
}

func (w *strictWriter) object() {
	w.out = append(w.out, '{')
	for w.enter(); w.more(); {
		at := w.at
		name := w.name()
		if w.dropped[at] {
			w.token()
			continue
		}
		w.text(name)
		w.out = append(w.out, ':')
		w.value()
		w.out = append(w.out, ',')
	}
	w.out = closeValue(w.out, '}')
}

func (w *strictWriter) text(v value) {
	if jsontext.Value(v).IsValid() {
		w.out = append(w.out, v...)
		return
	}
	text, _ := v.text()
	w.out, _ = jsontext.AppendQuote(w.out, text) // cannot fail: text is valid UTF-8
}

func (w *strictWriter) number(v value) {
	if !overflowsFloat64(v) {
		w.out = append(w.out, v...)
		return
	}
	w.out = append(append(append(w.out, '"'), v...), '"')
}

// closeValue ends an object or array whose members or elements are each followed by a comma.
func closeValue(b []byte, closing byte) []byte {
	if last := len(b) - 1; b[last] == ',' {
		b = b[:last]
	}
	return append(b, closing)
}
