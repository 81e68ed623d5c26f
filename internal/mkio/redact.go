package mkio

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Redact returns a JSON value without what must not leave: the values of members whose names say that
// they are secret, URLs beyond their host, queries, e-mail addresses, also where they stand in names. Everything else stays, and so do
// the order of members and the spelling of numbers. null and the empty string hide nothing and stay.
func Redact(raw json.RawMessage) (json.RawMessage, error) { return redactAs(withinRecord, raw) }

// RedactDelivery redacts a delivery, or a batch of them, so that it still tells the same: the attributes
// that [Decoder.Decode] reads stay, all else goes by the rules of [Redact]. Of the source only query
// and user are taken away.
func RedactDelivery(body []byte) (json.RawMessage, error) { return redactAs(withinEnvelope, body) }

// A scope says which members of an object are a delivery's own attributes.
type scope uint8

const (
	withinRecord scope = iota // none: the rules apply
	withinEnvelope
	withinData
)

var attributesOf = [...][]string{
	withinRecord:   nil,
	withinEnvelope: {"specversion", "id", "type", "source", "time", "datacontenttype"},
	withinData:     {"projectName", "previousState", "state"},
}

func redactAs(in scope, raw []byte) (json.RawMessage, error) {
	v, err := parse(raw)
	if err != nil {
		return nil, fmt.Errorf("redact: %w", err)
	}
	return redact(in, v), nil
}

func redact(in scope, v value) json.RawMessage {
	r := redactor{cursor: cursor{in: v}, out: make([]byte, 0, len(v))}
	r.value(in, "")
	return r.out
}

// A redactor copies a value in one pass: what is nested deep is not looked at once a level.
type redactor struct {
	cursor
	out []byte
}

// value copies the next value. parent is the name of the member that it belongs to.
func (r *redactor) value(in scope, parent string) {
	switch r.here() {
	case '{':
		r.object(in, parent)
	case '[':
		r.array(in, parent)
	case '"':
		r.text(r.token())
	default:
		r.out = append(r.out, r.token()...)
	}
}

func (r *redactor) object(in scope, parent string) {
	r.out = append(r.out, '{')
	for r.enter(); r.more(); r.out = append(r.out, ',') {
		name := r.name()
		r.text(name) // people put addresses there too
		r.out = append(r.out, ':')
		r.member(name, in, parent)
	}
	r.close('}')
}

// array copies an array. A batch holds deliveries; no other array holds attributes.
func (r *redactor) array(in scope, parent string) {
	if in == withinData {
		in = withinRecord
	}
	r.out = append(r.out, '[')
	for r.enter(); r.more(); r.out = append(r.out, ',') {
		r.value(in, parent)
	}
	r.close(']')
}

// close ends an object or array, whose members or elements each have a comma behind them.
func (r *redactor) close(closing byte) {
	if last := len(r.out) - 1; r.out[last] == ',' {
		r.out = r.out[:last]
	}
	r.out = append(r.out, closing)
}

// member copies the value of a member, or hides it.
func (r *redactor) member(name value, in scope, parent string) {
	rule := rules.of(name)
	if in != withinRecord {
		key, _ := name.text() // a name is one
		switch {
		case in == withinEnvelope && key == "data":
			r.value(withinData, rule.name)
			return
		case slices.Contains(attributesOf[in], key):
			r.attribute(key)
			return
		}
	}
	if rule.hides(parent) {
		r.hide()
		return
	}
	r.value(withinRecord, rule.name)
}

// hide writes a mark for the next value, whatever it is. Where nothing is, nothing is hidden.
func (r *redactor) hide() {
	v := r.token()
	if v.null() || string(v) == `""` {
		r.out = append(r.out, v...)
		return
	}
	r.out = append(r.out, hidden...)
}

// hidden stands for a value that is hidden.
const hidden = `"` + redacted + `"`

// attribute copies an attribute of a delivery as it is. One that is no string goes by the rules and
// stays no string, or a malformed delivery would become one.
func (r *redactor) attribute(key string) {
	if r.in[r.at] != '"' {
		r.value(withinRecord, "")
		return
	}
	text, _ := r.token().text() // it is one
	if key == "source" {
		text = redactSource(text)
	}
	r.quote(text)
}

// text copies a string, or a name, without what must not leave.
func (r *redactor) text(v value) {
	if inside := v[1 : len(v)-1]; harmless(inside) || plainASCII(inside) && !mayHide(inside) {
		r.out = append(r.out, v...)
		return
	}
	text, _ := v.text() // it is one
	r.quote(redactText(text))
}

func (r *redactor) quote(s string) {
	r.out, _ = jsontext.AppendQuote(r.out, s) // it is valid UTF-8, as value.text returns it
}

// harmless says of most strings that they stand in JSON as they are and that mayHide has nothing to look at.
func harmless(inside []byte) bool {
	for _, c := range inside {
		if suspect[c] {
			return false
		}
	}
	return true
}

// suspect are the bytes that harmless strings do not have.
var suspect = func() (bytes [256]bool) {
	for c := range bytes {
		bytes[c] = c >= 0x7f || strings.IndexByte(`\?@:=`, byte(c)) >= 0
	}
	return bytes
}()

// plainASCII says whether a string stands in JSON as it is.
func plainASCII(inside []byte) bool {
	for _, c := range inside {
		if c == '\\' || c >= 0x7f {
			return false
		}
	}
	return true
}
