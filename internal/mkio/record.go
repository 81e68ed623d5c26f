package mkio

import (
	"strings"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A memberPath is the path of a member in a record: a section and a name. The zero path leads to no member.
type memberPath struct {
	section section
	name    string
}

// A section is a top-level member of a record.
type section uint8

const (
	noSection section = iota
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

// A record is a resource's record, by section. Every text read from it is redacted, so that a redacted record reads the
// same.
type record struct {
	found    bool // false if a delivery has none
	sections [sectionCount]object
}

func recordOf(v value) record {
	c := cursor{in: v}
	return c.record()
}

// record consumes the next value and reads it as a record.
func (c *cursor) record() (r record) {
	if c.peek() != '{' {
		c.token()
		return r
	}
	r.found = true
	for c.enter(); c.more(); {
		if s := sectionOf(c.name().unquoted()); s != noSection {
			r.sections[s] = c.object()
		} else {
			c.token()
		}
	}
	return r
}

// sectionOf returns the section of a member name; noSection for any other.
func sectionOf(name []byte) section {
	for s := noSection + 1; s < sectionCount; s++ {
		if string(name) == sectionNames[s] {
			return s
		}
	}
	return noSection
}

func (r *record) at(f memberPath) value { return r.sections[f.section].at(f.name) }

// text returns a string; "" if it is missing or longer than maxText.
func (r *record) text(f memberPath) string {
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

// state returns the state in a resource's record; false for kinds whose records have none. A storage without a private link
// is in the empty state.
func (r *record) state(key lifecycle.Key) (state string, ok bool) {
	p, _ := locationOf(key)
	v := r.at(p.state)
	if key.Kind == lifecycle.Storage && v.isNull() {
		return "", r.found
	}
	return plainText(v)
}

// provisioning returns the provisioningState in a resource's record. That of a storage is Failed if MK.IO has no usable
// credential for it.
func (r *record) provisioning(key lifecycle.Key) string {
	if key.Kind != lifecycle.Storage {
		return r.text(memberPath{properties, "provisioningState"})
	}
	if id := r.at(memberPath{status, "activeCredentialId"}); len(id) > 0 && id.isNull() {
		return "Failed"
	}
	return ""
}

// created returns when this life of the resource began; zero if the record does not say.
func (r *record) created() time.Time {
	return r.firstTime(memberPath{properties, "created"}, memberPath{systemData, "createdAt"}, memberPath{metadata, "created"})
}

// modified returns when the record was last changed; zero if the record does not say.
func (r *record) modified() time.Time {
	return r.firstTime(memberPath{properties, "lastModified"}, memberPath{systemData, "lastModifiedAt"}, memberPath{metadata, "updated"})
}

func (r *record) firstTime(fields ...memberPath) time.Time {
	for _, f := range fields {
		text, _ := r.at(f).text()
		if t, ok := parseTime(text); ok {
			return t
		}
	}
	return time.Time{}
}

// life identifies this life of the resource's name: MK.IO's own id, else the creation time.
func (r *record) life() string {
	for _, f := range []memberPath{{systemData, "internalId"}, {metadata, "id"}} {
		if id := r.text(f); id != "" {
			return id
		}
	}
	if created := r.created(); !created.IsZero() {
		return created.Format(time.RFC3339Nano)
	}
	return ""
}

// correlationObject returns the customer's own data; nil if it is not an object.
func (r *record) correlationObject() value {
	for _, f := range []memberPath{{properties, correlationData}, {spec, correlationData}} {
		if v := r.at(f); v.isObject() {
			return v
		}
	}
	return nil
}

// correlationData is the member of a section that holds the customer's own data.
const correlationData = "correlationData"

// Limits of an observation's problems, which are a summary; the record has all.
const (
	maxProblems = 20
	maxMessage  = 1000 // bytes
)

// problems summarises the errors in the record: of a job's outputs, of its recording, and of the status.
func (r *record) problems() []lifecycle.Problem {
	var found []lifecycle.Problem
	add := func(p lifecycle.Problem) {
		if len(found) < maxProblems && p.Code+p.Category+p.Message != "" {
			p.Message = cut(p.Message, maxMessage)
			found = append(found, p)
		}
	}
	for output := range r.at(memberPath{properties, "outputs"}).elements() {
		add(outputProblem(output.object()))
	}
	add(recordingProblem(r.at(memberPath{properties, "recording"}).object()))
	for e := range r.at(memberPath{status, "errors"}).elements() {
		add(problem(e))
	}
	info, _ := longText(r.at(memberPath{status, "info"}))
	add(lifecycle.Problem{Message: info})
	return found
}

// OutputAssets returns the assets that a job writes; none for other kinds.
func (r Row) OutputAssets() []lifecycle.Key {
	if r.Key.Kind != lifecycle.Job {
		return nil
	}
	var assets []lifecycle.Key
	record := recordOf(r.raw)
	for output := range record.at(memberPath{properties, "outputs"}).elements() {
		name, ok := plainText(output.object().at("assetName"))
		if asset, err := lifecycle.NewKey(lifecycle.Asset, r.Key.Project, name); ok && err == nil {
			assets = append(assets, asset)
		}
	}
	return assets
}

// outputProblem reads the error of a job's output.
func outputProblem(output object) lifecycle.Problem {
	p := problem(output.at("error"))
	p.Output = outputName(output)
	return p
}

// recordingProblem reads the error of a job's recording: its details, or its state Error where it has none.
func recordingProblem(recording object) lifecycle.Problem {
	text, _ := longText(recording.at("details"))
	if text == "" {
		if state, _ := plainText(recording.at("state")); strings.EqualFold(state, "Error") {
			text = state
		}
	}
	if text == "" {
		return lifecycle.Problem{}
	}
	return lifecycle.Problem{Message: "recording: " + text}
}

// problem reads an error: an object, or a message alone.
func problem(v value) (p lifecycle.Problem) {
	if message, ok := longText(v); ok {
		return lifecycle.Problem{Message: message}
	}
	o := v.object()
	p.Code, _ = plainText(o.at("code"))
	p.Message, _ = longText(o.at("message"))
	p.Category, _ = plainText(o.at("category"))
	p.Retry, _ = plainText(o.at("retry"))
	return p
}
