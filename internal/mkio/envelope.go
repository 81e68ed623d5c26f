package mkio

import (
	"strings"
	"time"
)

// maxText is the longest string, in bytes, that is taken from a delivery as an id, a state or a name.
const maxText = 1024

// An envelope is a delivery as MK.IO wrapped it: the right shape, the meaning not yet looked at.
type envelope struct {
	id, typ, source string
	time            time.Time // zero where there is none
	project         string    // as data claims; "" where it does not
	state           *string
	previous        *string
	record          record
	whole           value // the record as it came
}

// readEnvelope reads the attributes; every error is malformed.
func readEnvelope(item value) (envelope, error) {
	top := item.object()
	if top == nil {
		return envelope{}, malformed("the delivery is not a JSON object")
	}
	data := top.at("data").object()
	if data == nil {
		return envelope{}, malformed(`"data" is missing or not an object`)
	}
	p := attributes{}
	version := p.required(top, "specversion")
	e := envelope{
		id:       p.required(top, "id"),
		typ:      p.required(top, "type"),
		source:   p.required(top, "source"),
		time:     p.time(top, "time"),
		state:    p.optional(data, "state"),
		previous: p.optional(data, "previousState"),
		whole:    data.at("resource"),
	}
	e.record = recordOf(e.whole.object())
	if project := p.text(data, "projectName"); project != nil {
		e.project = *project
	}
	if version != "1.0" && !strings.HasPrefix(version, "1.0.") {
		p.fail(malformed(`"specversion" is %s, not "1.0"`, quote(version)))
	}
	return e, p.err
}

// attributes reads the attributes of an envelope and remembers the first that is wrong.
type attributes struct{ err error }

func (p *attributes) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// text reads a string of any length; nil where it is missing or null.
func (p *attributes) text(o object, name string) *string {
	v := o.at(name)
	text, ok := v.text()
	if !ok && !v.null() {
		p.fail(malformed("%q is not a string", name))
	}
	if !ok {
		return nil
	}
	return &text
}

// optional reads a string that is kept, and therefore bounded.
func (p *attributes) optional(o object, name string) *string {
	value := p.text(o, name)
	if value != nil && len(*value) > maxText {
		p.fail(malformed("%q has %d bytes, more than %d", name, len(*value), maxText))
	}
	return value
}

// required reads a string that must be there. A source may be long: it carries several names.
func (p *attributes) required(o object, name string) string {
	read := p.optional
	if name == "source" {
		read = p.text
	}
	value := read(o, name)
	if value == nil || *value == "" {
		p.fail(malformed("%q is missing or empty", name))
		return ""
	}
	return *value
}

func (p *attributes) time(o object, name string) time.Time {
	value := p.text(o, name)
	if value == nil {
		return time.Time{}
	}
	t, ok := parseTime(*value)
	if !ok {
		p.fail(malformed("%q is no RFC 3339 time: %s", name, quote(*value)))
	}
	return t
}
