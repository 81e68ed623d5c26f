package mkio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// RedactDelivery is [CorrelationPolicy.RedactDelivery] for correlation data that is passed on as it is.
func RedactDelivery(body []byte) (json.RawMessage, error) {
	return CorrelationFull.RedactDelivery(body)
}

// RedactDelivery redacts a delivery, or a batch of them, so that it still tells the same: the attributes
// that [Decoder.Decode] reads stay, correlation data goes by its policy, all else by the rules of a record. Of the
// source only query and user are taken away.
func (p CorrelationPolicy) RedactDelivery(body []byte) (json.RawMessage, error) {
	v, err := parse(body)
	if err != nil {
		return nil, fmt.Errorf("redact: %w", err)
	}
	r := newRedactor(v, p)
	r.value(withinEnvelope, "")
	return r.out, nil
}

// redact returns a record without what must not leave: the values of members whose names say that they are secret, URLs
// beyond their host, queries, e-mail addresses, also where they stand in names. Everything else stays, and so do the order
// of members and the spelling of numbers. null and the empty string hide nothing and stay.
func redact(v value) json.RawMessage {
	r := newRedactor(v, CorrelationRedacted)
	r.value(withinRecord, "")
	return r.out
}

// A redactor copies a value in one pass: what is nested deep is not looked at once a level.
type redactor struct {
	cursor
	out         []byte
	names       writtenNames
	correlation CorrelationPolicy
	verbatim    bool // only correlation data is looked at, all else is copied as it is
}

func newRedactor(v value, correlation CorrelationPolicy) redactor {
	return redactor{cursor: cursor{in: v}, out: make([]byte, 0, len(v)), names: make(writtenNames, 0, usualNames), correlation: correlation}
}

// usualNames is how many names most records have in objects that are open at once.
const usualNames = 64

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
	first := len(r.names)
	var taken map[string]int
	for r.enter(); r.more(); {
		name := r.name()
		inner := in.of(name)
		if inner == correlationValue && r.correlation == CorrelationNone {
			r.token()
			continue
		}
		at := len(r.out)
		r.text(name) // people put addresses there too
		taken = r.distinct(taken, first, at, !bytes.Equal(r.out[at:], name))
		r.out = append(r.out, ':')
		r.member(name, inner, parent)
		r.out = append(r.out, ',')
	}
	r.names = r.names[:first]
	r.out = closeValue(r.out, '}')
}

// array copies an array. A batch holds deliveries; no other array holds attributes.
func (r *redactor) array(in scope, parent string) {
	if in != withinEnvelope {
		in = withinRecord
	}
	r.out = append(r.out, '[')
	for r.enter(); r.more(); r.out = append(r.out, ',') {
		r.value(in, parent)
	}
	r.out = closeValue(r.out, ']')
}

// member copies the value of a member, or hides it.
func (r *redactor) member(name value, in scope, parent string) {
	switch in {
	case attributeValue:
		r.attribute(string(name.unquoted()))
		return
	case correlationValue:
		r.correlated()
		return
	}
	rule := rules.of(name)
	if in == withinRecord && !r.verbatim && rule.hides(parent) {
		r.hide()
		return
	}
	r.value(in, rule.name)
}

// correlated copies correlation data as its policy has it.
func (r *redactor) correlated() {
	if r.correlation == CorrelationFull {
		r.out = append(r.out, compact(r.token())...)
		return
	}
	verbatim := r.verbatim
	r.verbatim = false
	r.value(withinRecord, "")
	r.verbatim = verbatim
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
	if inside := v[1 : len(v)-1]; r.verbatim || harmless(inside) || plainASCII(inside) && !mayHide(inside) {
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
