package mkio

import (
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A field is where a record has something: a member of one of its sections. The zero field is nowhere.
type field struct {
	section section
	name    string
}

// A section is a member of a record that holds what is read of it.
type section uint8

const (
	nowhere section = iota
	properties
	systemData
	metadata
	spec
	status
	sectionCount
)

var sectionNames = [sectionCount]string{
	properties: "properties", systemData: "systemData", metadata: "metadata", spec: "spec", status: "status",
}

// A record is a resource as MK.IO's API shows it, by its sections. Whatever is read from it goes through the rules of
// redaction, so that a redacted record reads the same.
type record struct {
	found    bool // false where a delivery brought none
	sections [sectionCount]object
}

func recordOf(v value) record {
	c := cursor{in: v}
	return c.record()
}

// record passes over the next value and reads it as a resource.
func (c *cursor) record() (r record) {
	if c.here() != '{' {
		c.token()
		return r
	}
	r.found = true
	for c.enter(); c.more(); {
		if s := sectionOf(c.name().unquoted()); s != nowhere {
			r.sections[s] = c.object()
		} else {
			c.token()
		}
	}
	return r
}

// sectionOf is the section that a member of a record is; nowhere for any other.
func sectionOf(name []byte) section {
	for s := nowhere + 1; s < sectionCount; s++ {
		if string(name) == sectionNames[s] {
			return s
		}
	}
	return nowhere
}

func (r *record) at(f field) value { return r.sections[f.section].at(f.name) }

// text returns a string; "" where there is none, or one too long to be kept.
func (r *record) text(f field) string {
	text, _ := plainText(r.at(f))
	return text
}

func plainText(v value) (text string, ok bool) {
	text, ok = longText(v)
	if !ok || len(text) > maxText {
		return "", false
	}
	return text, true
}

func longText(v value) (text string, ok bool) {
	text, ok = v.text()
	return redactText(text), ok
}

// state returns the state that the record of a resource shows, where its kind shows one.
func (r *record) state(key lifecycle.Key) (state string, ok bool) {
	p, _ := placeOf(key)
	return plainText(r.at(p.state))
}

// created is when this life of the resource began; zero where the record does not say.
func (r *record) created() time.Time {
	return r.firstTime(field{properties, "created"}, field{systemData, "createdAt"}, field{metadata, "created"})
}

// modified is when the record was last changed; zero where it does not say.
func (r *record) modified() time.Time {
	return r.firstTime(field{properties, "lastModified"}, field{systemData, "lastModifiedAt"}, field{metadata, "updated"})
}

func (r *record) firstTime(fields ...field) time.Time {
	for _, f := range fields {
		text, _ := r.at(f).text()
		if t, ok := parseTime(text); ok {
			return t
		}
	}
	return time.Time{}
}

// life tells this life of the resource's name from others: MK.IO's own id, else the creation time.
func (r *record) life() string {
	for _, f := range []field{{systemData, "internalId"}, {metadata, "id"}} {
		if id := r.text(f); id != "" {
			return id
		}
	}
	if created := r.created(); !created.IsZero() {
		return created.Format(time.RFC3339Nano)
	}
	return ""
}

// correlation returns the customer's own data; nil where it is no object.
func (r *record) correlation() value {
	for _, f := range []field{{properties, correlationData}, {spec, correlationData}} {
		if v := r.at(f); v.isObject() {
			return v
		}
	}
	return nil
}

// correlationData is the member of a section that holds the customer's own data.
const correlationData = "correlationData"

// Bounds of the problems of one observation: they sum up, the record has all.
const (
	maxProblems = 20
	maxMessage  = 1000 // bytes
)

// problems sums up what the record says went wrong.
func (r *record) problems() []lifecycle.Problem {
	var found []lifecycle.Problem
	add := func(code, message string) {
		if len(found) < maxProblems && code+message != "" {
			found = append(found, lifecycle.Problem{Code: code, Message: cut(message, maxMessage)})
		}
	}
	for output := range r.at(field{properties, "outputs"}).elements() {
		add(problem(output.at("error")))
	}
	for e := range r.at(field{status, "errors"}).elements() {
		add(problem(e))
	}
	info, _ := longText(r.at(field{status, "info"}))
	add("", info)
	return found
}

// problem reads an error that is an object, or a message alone.
func problem(v value) (code, message string) {
	if message, ok := longText(v); ok {
		return "", message
	}
	o := v.object()
	code, _ = plainText(o.at("code"))
	message, _ = longText(o.at("message"))
	return code, message
}
