package mkio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// RedactDelivery is [CorrelationPolicy.RedactDelivery] with [CorrelationFull].
func RedactDelivery(body []byte) (json.RawMessage, error) {
	return CorrelationFull.RedactDelivery(body)
}

// RedactDelivery redacts a delivery, or a batch, so that it still decodes to the same observation: the attributes that
// [Decoder.Decode] reads stay, correlation data is redacted by its policy, everything else like a record. The source loses
// its query and user only.
func (p CorrelationPolicy) RedactDelivery(body []byte) (json.RawMessage, error) {
	v, err := parse(body)
	if err != nil {
		return nil, fmt.Errorf("redact: %w", err)
	}
	r := newRedactor(v, p)
	r.value(withinEnvelope, "")
	return r.out, nil
}

// redact returns a record without secrets: the values of members with secret names, URLs beyond their host, queries and
// e-mail addresses, also within names. Everything else stays, including the order of members and the spelling of numbers.
// null and the empty string stay.
func redact(v value) json.RawMessage {
	r := newRedactor(v, CorrelationRedacted)
	r.value(withinRecord, "")
	return r.out
}

// A redactor copies a value in one pass, so that its cost does not grow with the nesting.
type redactor struct {
	cursor
	out         []byte
	names       writtenNames
	correlation CorrelationPolicy
	verbatim    bool // copy everything but correlation data unchanged
}

func newRedactor(v value, correlation CorrelationPolicy) redactor {
	return redactor{cursor: cursor{in: v}, out: make([]byte, 0, len(v)), names: make(writtenNames, 0, initialNames), correlation: correlation}
}

// initialNames is a capacity that most records need.
const initialNames = 64

// value copies the next value. parent is the name of the member whose value it is.
func (r *redactor) value(in scope, parent string) {
	switch r.peek() {
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
	firstName := len(r.names)
	var used map[string]int
	for r.enter(); r.more(); {
		name := r.name()
		inner := in.of(name)
		if inner == correlationValue && r.correlation == CorrelationNone {
			r.token()
			continue
		}
		start := len(r.out)
		r.text(name) // names may contain e-mail addresses too
		used = r.uniqueName(used, firstName, start, !bytes.Equal(r.out[start:], name))
		r.out = append(r.out, ':')
		r.member(name, inner, parent)
		r.out = append(r.out, ',')
	}
	r.names = r.names[:firstName]
	r.out = closeValue(r.out, '}')
}

// array copies an array. Only a batch is an array of deliveries; in any other array, everything is redacted like a record.
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

// member copies or redacts the value of a member.
func (r *redactor) member(name value, in scope, parent string) {
	switch in {
	case attributeValue:
		r.attribute(string(name.unquoted()))
		return
	case correlationValue:
		r.correlationData()
		return
	}
	rule := nameRuleCache.ruleFor(name)
	if in == withinRecord && !r.verbatim && rule.redacts(parent) {
		r.redactValue()
		return
	}
	r.value(in, rule.name)
}

// correlationData copies correlation data by its policy.
func (r *redactor) correlationData() {
	if r.correlation == CorrelationFull {
		r.out = append(r.out, compact(r.token())...)
		return
	}
	verbatim := r.verbatim
	r.verbatim = false
	r.value(withinRecord, "")
	r.verbatim = verbatim
}

// redactValue replaces the next value by the mark. null and the empty string stay.
func (r *redactor) redactValue() {
	v := r.token()
	if v.isNull() || string(v) == `""` {
		r.out = append(r.out, v...)
		return
	}
	r.out = append(r.out, redactedString...)
}

// redactedString is the mark in JSON.
const redactedString = `"` + redacted + `"`

// attribute copies an attribute of a delivery unchanged. An attribute that is not a string is redacted like a record and
// stays no string, or a malformed delivery would become a valid one.
func (r *redactor) attribute(key string) {
	if r.in[r.at] != '"' {
		r.value(withinRecord, "")
		return
	}
	text, _ := r.token().text() // always a string
	if key == "source" {
		text = redactSource(text)
	}
	r.quote(text)
}

// text copies a string, or a name, and redacts it.
func (r *redactor) text(v value) {
	if inside := v[1 : len(v)-1]; r.verbatim || isClean(inside) || plainASCII(inside) && !mayNeedRedaction(inside) {
		r.out = append(r.out, v...)
		return
	}
	text, _ := v.text() // always a string
	r.quote(redactText(text))
}

func (r *redactor) quote(s string) {
	r.out, _ = jsontext.AppendQuote(r.out, s) // cannot fail: value.text returns valid UTF-8
}

// isClean reports whether a string is its own JSON encoding and needs no redaction. It is true for most strings.
func isClean(inside []byte) bool {
	for _, c := range inside {
		if suspectBytes[c] {
			return false
		}
	}
	return true
}

// suspectBytes are the bytes that isClean rules out.
var suspectBytes = func() (bytes [256]bool) {
	for c := range bytes {
		bytes[c] = c >= 0x7f || strings.IndexByte(`\?@:=`, byte(c)) >= 0
	}
	return bytes
}()

// plainASCII reports whether a string is its own JSON encoding.
func plainASCII(inside []byte) bool {
	for _, c := range inside {
		if c == '\\' || c >= 0x7f {
			return false
		}
	}
	return true
}
