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

// parts are the values of which an envelope is made, as they stand in the delivery; nil where they are missing. Of two
// with one name the last counts.
type parts struct {
	version, id, typ, source, time value
	data                           dataParts
}

type dataParts struct {
	found                    bool // it is there, and an object
	project, state, previous value
	whole                    value
	record                   record
}

// partsOf takes a delivery apart that is an object.
func partsOf(item value) (p parts) {
	c := cursor{in: item}
	for c.enter(); c.more(); {
		switch string(c.name().unquoted()) {
		case "specversion":
			p.version = c.token()
		case "id":
			p.id = c.token()
		case "type":
			p.typ = c.token()
		case "source":
			p.source = c.token()
		case "time":
			p.time = c.token()
		case "data":
			p.data = c.data()
		default:
			c.token()
		}
	}
	return p
}

// data passes over the next value and takes it apart, if it is an object.
func (c *cursor) data() (d dataParts) {
	if c.here() != '{' {
		c.token()
		return d
	}
	d.found = true
	for c.enter(); c.more(); {
		switch string(c.name().unquoted()) {
		case "projectName":
			d.project = c.token()
		case "state":
			d.state = c.token()
		case "previousState":
			d.previous = c.token()
		case "resource":
			from := c.at
			d.record = c.record()
			d.whole = c.in[from:c.at]
		default:
			c.token()
		}
	}
	return d
}

// readEnvelope reads the attributes; every error is malformed.
func readEnvelope(item value) (envelope, error) {
	if !item.isObject() {
		return envelope{}, malformed("the delivery is not a JSON object")
	}
	given := partsOf(item)
	if !given.data.found {
		return envelope{}, malformed(`"data" is missing or not an object`)
	}
	p := attributes{}
	version := p.required(given.version, "specversion")
	e := envelope{
		id:       p.required(given.id, "id"),
		typ:      p.required(given.typ, "type"),
		source:   p.required(given.source, "source"),
		time:     p.time(given.time, "time"),
		state:    p.optional(given.data.state, "state"),
		previous: p.optional(given.data.previous, "previousState"),
		record:   given.data.record,
		whole:    given.data.whole,
	}
	e.project, _ = p.text(given.data.project, "projectName")
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

// text reads a string of any length; ok is false where it is missing or null.
func (p *attributes) text(v value, name string) (text string, ok bool) {
	text, ok = v.text()
	if !ok && !v.null() {
		p.fail(malformed("%q is not a string", name))
	}
	return text, ok
}

// optional reads a string that is kept, and therefore bounded; nil where it is missing or null.
func (p *attributes) optional(v value, name string) *string {
	text, ok := p.bounded(v, name)
	if !ok {
		return nil
	}
	return &text
}

func (p *attributes) bounded(v value, name string) (text string, ok bool) {
	text, ok = p.text(v, name)
	if len(text) > maxText {
		p.fail(malformed("%q has %d bytes, more than %d", name, len(text), maxText))
	}
	return text, ok
}

// required reads a string that must be there. A source may be long: it carries several names.
func (p *attributes) required(v value, name string) string {
	read := p.bounded
	if name == "source" {
		read = p.text
	}
	text, _ := read(v, name)
	if text == "" {
		p.fail(malformed("%q is missing or empty", name))
	}
	return text
}

func (p *attributes) time(v value, name string) time.Time {
	text, ok := p.text(v, name)
	if !ok {
		return time.Time{}
	}
	t, ok := parseTime(text)
	if !ok {
		p.fail(malformed("%q is no RFC 3339 time: %s", name, quote(text)))
	}
	return t
}
