package mkio

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
)

// maxText is the longest string, in bytes, that is taken from a delivery as an id, a state or a name.
const maxText = 1024

// An envelope is a delivery as MK.IO wrapped it: the right shape, the meaning not yet looked at.
type envelope struct {
	id, typ, source string
	time            time.Time // zero where there is none that can be read
	project         string    // as data claims; "" where it does not
	state           *string   // nil likewise
	previous        *string   // nil likewise
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

// readEnvelope reads the attributes; every error is malformed. Required is what makes the delivery a CloudEvent of MK.IO
// and names its resource. All else is evidence at the most: where it cannot be read it is as good as missing.
func readEnvelope(item value) (envelope, error) {
	if !item.isObject() {
		return envelope{}, malformed("the delivery is not a JSON object")
	}
	given := partsOf(item)
	if !given.data.found {
		return envelope{}, malformed(`"data" is missing or not an object`)
	}
	r := required{}
	version := r.bounded(given.version, "specversion")
	e := envelope{
		id:       deliveryID(given.id, item),
		typ:      r.bounded(given.typ, "type"),
		source:   r.text(given.source, "source"), // it may be long: it carries several names
		state:    optional(given.data.state),
		previous: optional(given.data.previous),
		record:   given.data.record,
		whole:    given.data.whole,
	}
	if project := optional(given.data.project); project != nil {
		e.project = *project
	}
	if at, ok := given.time.text(); ok {
		e.time, _ = parseTime(at)
	}
	if version != "1.0" && !strings.HasPrefix(version, "1.0.") {
		r.fail(malformed(`"specversion" is %s, not "1.0"`, quote(version)))
	}
	return e, r.err
}

// deliveryID is the id of a delivery. Where it has none that can be read, the digest of the whole stands in: a delivery
// that is sent again is the same then, too.
func deliveryID(given, item value) string {
	if id := optional(given); id != nil && *id != "" {
		return *id
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(item))
}

// optional reads a string that is kept, and therefore bounded; nil where there is none that can be kept.
func optional(v value) *string {
	text, ok := v.text()
	if !ok || len(text) > maxText {
		return nil
	}
	return &text
}

// required reads the strings that must be there, and remembers the first that is wrong.
type required struct{ err error }

func (r *required) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *required) text(v value, name string) string {
	text, ok := v.text()
	switch {
	case !ok && !v.null():
		r.fail(malformed("%q is not a string", name))
	case text == "":
		r.fail(malformed("%q is missing or empty", name))
	}
	return text
}

func (r *required) bounded(v value, name string) string {
	text := r.text(v, name)
	if len(text) > maxText {
		r.fail(malformed("%q has %d bytes, more than %d", name, len(text), maxText))
	}
	return text
}
