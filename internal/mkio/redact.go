package mkio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
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

var attributesOf = map[scope][]string{
	withinEnvelope: {"specversion", "id", "type", "source", "time", "datacontenttype"},
	withinData:     {"projectName", "previousState", "state"},
}

func redactAs(in scope, raw []byte) (json.RawMessage, error) {
	if err := checkJSON(raw); err != nil { // bounds the nesting too, which the walk does not
		return nil, fmt.Errorf("redact: %w", err)
	}
	r := redactor{in: json.NewDecoder(bytes.NewReader(raw))}
	r.in.UseNumber() // keeps a number as it is spelt
	r.strings = json.NewEncoder(&r.out)
	r.strings.SetEscapeHTML(false)
	if err := r.value(in, ""); err != nil {
		return nil, fmt.Errorf("redact: %w", err)
	}
	return r.out.Bytes(), nil
}

// A redactor copies JSON token by token.
type redactor struct {
	in      *json.Decoder
	out     bytes.Buffer
	strings *json.Encoder // writes to out
}

// value copies the next value. parent is the name of the member that it belongs to.
func (r *redactor) value(in scope, parent string) error {
	token, err := r.in.Token()
	if err != nil {
		return err
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '[' {
			return r.array(in, parent)
		}
		return r.object(in, parent)
	case string:
		return r.text(redactText(t))
	case json.Number:
		r.out.WriteString(t.String())
	case bool:
		fmt.Fprint(&r.out, t)
	case nil:
		r.out.WriteString("null")
	}
	return nil
}

// array copies the rest of an array. A batch holds deliveries; no other array holds attributes.
func (r *redactor) array(in scope, parent string) error {
	if in == withinData {
		in = withinRecord
	}
	return r.elements('[', ']', func() error { return r.value(in, parent) })
}

func (r *redactor) object(in scope, parent string) error {
	return r.elements('{', '}', func() error {
		token, err := r.in.Token()
		if err != nil {
			return err
		}
		key := token.(string)                           // the decoder gives nothing else here
		if err := r.text(redactText(key)); err != nil { // people put addresses there too
			return err
		}
		r.out.WriteByte(':')
		return r.member(in, parent, key)
	})
}

// elements copies what is left of an array or object, each element by the given function.
func (r *redactor) elements(opening, closing byte, copyOne func() error) error {
	r.out.WriteByte(opening)
	for first := true; r.in.More(); first = false {
		if !first {
			r.out.WriteByte(',')
		}
		if err := copyOne(); err != nil {
			return err
		}
	}
	if _, err := r.in.Token(); err != nil {
		return err
	}
	r.out.WriteByte(closing)
	return nil
}

// member copies the value of a member, or hides it.
func (r *redactor) member(in scope, parent, key string) error {
	name := nameOf(key)
	switch {
	case in == withinEnvelope && key == "data":
		return r.value(withinData, name)
	case slices.Contains(attributesOf[in], key):
		return r.attribute(key)
	case secretMember(parent, name):
		return r.hide()
	}
	return r.value(withinRecord, name)
}

// attribute copies an attribute of a delivery as it is. One that is no string goes by the rules and
// stays no string, or a malformed delivery would become one.
func (r *redactor) attribute(key string) error {
	var raw json.RawMessage
	if err := r.in.Decode(&raw); err != nil {
		return err
	}
	var text *string
	if json.Unmarshal(raw, &text) != nil || text == nil {
		hidden, err := Redact(raw)
		r.out.Write(hidden)
		return err
	}
	if key == "source" {
		*text = redactSource(*text)
	}
	return r.text(*text)
}

// hide writes a mark for the next value, whatever it is.
func (r *redactor) hide() error {
	var raw json.RawMessage
	if err := r.in.Decode(&raw); err != nil {
		return err
	}
	if s := string(raw); s == "null" || s == `""` {
		r.out.WriteString(s)
		return nil
	}
	return r.text(redacted)
}

func (r *redactor) text(s string) error {
	if err := r.strings.Encode(s); err != nil {
		return err
	}
	r.out.Truncate(r.out.Len() - 1) // Encode ends with a newline
	return nil
}
