package mkio

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// JSON that MK.IO or a customer wrote goes into events, and consumers read those with parsers and databases of all
// kinds. Some refuse a whole event for one member of it: half of a surrogate pair (serde_json, PostgreSQL's jsonb), two
// members of one name, a number that no double holds (I-JSON, RFC 7493). So whatever is read becomes strict JSON before
// anything else is done with it, whichever policy holds:
//
//   - each half of a surrogate pair becomes U+FFFD, in names as well
//   - of members of one name the last stays, as everything here reads them
//   - a number that is too large for a double becomes a string with its digits, as RFC 7493 advises
//
// All else keeps its spelling, the digits of numbers included.

// isStrict says of nearly all JSON in UTF-8 that it is strict JSON as it stands. What is no JSON is not strict either.
func isStrict(raw []byte) bool {
	return jsontext.Value(raw).IsValid() && !holdsHugeNumber(raw)
}

// strict returns a valid value as strict JSON.
func strict(v value) value {
	d := doubles{cursor: cursor{in: v}, dropped: map[int]bool{}}
	d.value()
	w := strictWriter{cursor: cursor{in: v}, dropped: d.dropped, out: make([]byte, 0, len(v))}
	w.value()
	return w.out
}

// shortHuge is the least length of a number that is too large for a double and has no exponent.
const shortHuge = 309

// holdsHugeNumber says whether a number in a value is too large for a double.
func holdsHugeNumber(v value) bool {
	for i := 0; i < len(v); {
		switch c := v[i]; {
		case c == '"':
			i = endOfString(v, i)
		case digit(c):
			from := i
			i = end(v, from)
			if huge(v[from:i]) {
				return true
			}
		default:
			i++
		}
	}
	return false
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// huge says of a number, with or without its sign, whether it is too large for a double.
func huge(number value) bool {
	if len(number) < shortHuge && bytes.IndexByte(number, 'e') < 0 && bytes.IndexByte(number, 'E') < 0 {
		return false
	}
	_, err := strconv.ParseFloat(string(number), 64)
	return errors.Is(err, strconv.ErrRange)
}

// doubles finds the members that another one of the same name follows.
type doubles struct {
	cursor
	dropped map[int]bool // where the members begin
}

func (d *doubles) value() {
	switch d.here() {
	case '{':
		last := map[string]int{}
		for d.enter(); d.more(); {
			at := d.at
			name, _ := d.name().text() // each half of a surrogate pair is mended in it
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

// A strictWriter copies a value as strict JSON, in one pass.
type strictWriter struct {
	cursor
	dropped map[int]bool
	out     []byte
}

func (w *strictWriter) value() {
	switch c := w.here(); {
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
	case c == '-' || digit(c):
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
	w.out, _ = jsontext.AppendQuote(w.out, text) // it is valid UTF-8
}

func (w *strictWriter) number(v value) {
	if !huge(v) {
		w.out = append(w.out, v...)
		return
	}
	w.out = append(append(append(w.out, '"'), v...), '"')
}

// closeValue ends an object or array, whose members or elements each have a comma behind them.
func closeValue(b []byte, closing byte) []byte {
	if last := len(b) - 1; b[last] == ',' {
		b = b[:last]
	}
	return append(b, closing)
}
