package mkio

import (
	"encoding/json"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A field is where a record has something: a member of one of its sections.
type field struct{ section, name string }

// sections are the members of a record that hold what is read of it.
var sections = []string{"properties", "systemData", "metadata", "spec", "status"}

// A record is a resource as MK.IO's API shows it, by its sections; nil where a delivery brought none.
// Whatever is read from it goes through the rules of redaction, so that a redacted record reads the
// same.
type record map[string]object

func parseRecord(raw json.RawMessage) record { return recordOf(parseObject(raw)) }

func recordOf(o object) record {
	if o == nil {
		return nil
	}
	r := record{}
	for _, name := range sections {
		if section := parseObject(o[name]); section != nil {
			r[name] = section
		}
	}
	return r
}

func (r record) at(f field) json.RawMessage { return r[f.section][f.name] }

// text returns a string; "" where there is none, or one too long to be kept.
func (r record) text(f field) string {
	value, _ := plainText(r.at(f))
	return value
}

func plainText(raw json.RawMessage) (value string, ok bool) {
	value, ok = longText(raw)
	if !ok || len(value) > maxText {
		return "", false
	}
	return value, true
}

func longText(raw json.RawMessage) (value string, ok bool) {
	var text *string
	if json.Unmarshal(raw, &text) != nil || text == nil {
		return "", false
	}
	return redactText(*text), true
}

// state returns the state that the record of a resource shows, where its kind shows one.
func (r record) state(key lifecycle.Key) (state string, ok bool) {
	p, _ := placeOf(key)
	return plainText(r.at(p.state))
}

// created is when this life of the resource began; zero where the record does not say.
func (r record) created() time.Time {
	return r.firstTime(field{"properties", "created"}, field{"systemData", "createdAt"}, field{"metadata", "created"})
}

// modified is when the record was last changed; zero where it does not say.
func (r record) modified() time.Time {
	return r.firstTime(field{"properties", "lastModified"}, field{"systemData", "lastModifiedAt"}, field{"metadata", "updated"})
}

func (r record) firstTime(fields ...field) time.Time {
	for _, f := range fields {
		var text string
		if json.Unmarshal(r.at(f), &text) != nil {
			continue
		}
		if t, ok := parseTime(text); ok {
			return t
		}
	}
	return time.Time{}
}

// life tells this life of the resource's name from others: MK.IO's own id, else the creation time.
func (r record) life() string {
	for _, f := range []field{{"systemData", "internalId"}, {"metadata", "id"}} {
		if id := r.text(f); id != "" {
			return id
		}
	}
	if created := r.created(); !created.IsZero() {
		return created.Format(time.RFC3339Nano)
	}
	return ""
}

// correlation returns the customer's own data, redacted; nil where it is no object.
func (r record) correlation() (json.RawMessage, error) {
	for _, f := range []field{{"properties", "correlationData"}, {"spec", "correlationData"}} {
		if raw := r.at(f); parseObject(raw) != nil {
			return Redact(raw)
		}
	}
	return nil, nil
}

// Bounds of the problems of one observation: they sum up, the record has all.
const (
	maxProblems = 20
	maxMessage  = 1000 // bytes
)

// problems sums up what the record says went wrong.
func (r record) problems() []lifecycle.Problem {
	var found []lifecycle.Problem
	add := func(code, message string) {
		if len(found) < maxProblems && code+message != "" {
			found = append(found, lifecycle.Problem{Code: code, Message: cut(message, maxMessage)})
		}
	}
	for _, output := range list(r.at(field{"properties", "outputs"})) {
		add(problem(parseObject(output)["error"]))
	}
	for _, e := range list(r.at(field{"status", "errors"})) {
		add(problem(e))
	}
	info, _ := longText(r.at(field{"status", "info"}))
	add("", info)
	return found
}

// problem reads an error that is an object, or a message alone.
func problem(raw json.RawMessage) (code, message string) {
	if message, ok := longText(raw); ok {
		return "", message
	}
	o := parseObject(raw)
	code, _ = plainText(o["code"])
	message, _ = longText(o["message"])
	return code, message
}

func list(raw json.RawMessage) []json.RawMessage {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return nil
	}
	return items
}
