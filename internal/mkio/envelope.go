package mkio

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
)

// maxText is the longest id, state or name, in bytes, that is taken from a delivery.
const maxText = 1024

// An envelope holds the attributes of a delivery of the right shape; their meaning is not checked yet.
type envelope struct {
	id, typeName, source string
	time                 time.Time // zero: missing or unreadable
	project              string    // data.projectName; "": missing
	state                *string   // nil: missing or unreadable
	previous             *string   // nil: missing or unreadable
	record               record
	rawRecord            value // the record's JSON
}

// A rawEnvelope has the JSON values of a delivery's attributes; nil where they are missing. Of duplicate names the last
// counts.
type rawEnvelope struct {
	version, id, typ, source, time value
	data                           rawData
}

type rawData struct {
	found                    bool // data is an object
	project, state, previous value
	rawRecord                value
	record                   record
}

// splitEnvelope reads the attributes of a delivery, which is an object.
func splitEnvelope(item value) (p rawEnvelope) {
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

// data consumes the next value and reads its members, if it is an object.
func (c *cursor) data() (d rawData) {
	if c.peek() != '{' {
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
			d.rawRecord = c.in[from:c.at]
		default:
			c.token()
		}
	}
	return d
}

// readEnvelope reads the attributes; its errors are rejections as malformed. Required are the attributes that make the
// delivery a CloudEvent of MK.IO and name its resource. Everything else is evidence: unreadable is the same as missing.
func readEnvelope(item value) (envelope, error) {
	if !item.isObject() {
		return envelope{}, malformed("the delivery is not a JSON object")
	}
	raw := splitEnvelope(item)
	if !raw.data.found {
		return envelope{}, malformed(`"data" is missing or not an object`)
	}
	r := required{}
	version := r.bounded(raw.version, "specversion")
	e := envelope{
		id:        deliveryID(raw.id, item),
		typeName:  r.bounded(raw.typ, "type"),
		source:    r.text(raw.source, "source"), // unbounded: it contains several names
		state:     optional(raw.data.state),
		previous:  optional(raw.data.previous),
		record:    raw.data.record,
		rawRecord: raw.data.rawRecord,
	}
	if project := optional(raw.data.project); project != nil {
		e.project = *project
	}
	if at, ok := raw.time.text(); ok {
		e.time, _ = parseTime(at)
	}
	if version != "1.0" && !strings.HasPrefix(version, "1.0.") {
		r.fail(malformed(`"specversion" is %s, not "1.0"`, quote(version)))
	}
	return e, r.err
}

// deliveryID returns a delivery's id. Without a readable id it is the digest of the whole delivery, which is the same when
// the delivery is sent again.
func deliveryID(idValue, item value) string {
	if id := optional(idValue); id != nil && *id != "" {
		return *id
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(item))
}

// optional reads a string of at most maxText bytes; nil for anything else.
func optional(v value) *string {
	text, ok := v.text()
	if !ok || len(text) > maxText {
		return nil
	}
	return &text
}

// required reads the required strings and holds the first error.
type required struct{ err error }

func (r *required) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *required) text(v value, name string) string {
	text, ok := v.text()
	switch {
	case !ok && !v.isNull():
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
