package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mkio-bridge/schemas"
)

// A fieldSchema has the parts of a JSON Schema that the tables of the documents need.
type fieldSchema struct {
	forbidden bool // the schema is false

	ID          string `json:"$id"`
	Ref         string `json:"$ref"`
	Description string
	Type        typeName
	Format      string
	Const       any
	Enum        []any
	Properties  fields
	Required    []string
	Items       *fieldSchema
	If          *fieldSchema
	Then        *fieldSchema
	Else        *fieldSchema
	AllOf       []fieldSchema
	Defs        map[string]fieldSchema `json:"$defs"`
}

func (s *fieldSchema) UnmarshalJSON(content []byte) error {
	if string(content) == "false" {
		s.forbidden = true
		return nil
	}
	type plain fieldSchema // without this method
	return json.Unmarshal(content, (*plain)(s))
}

// A typeName is the type of a value; of several types the last.
type typeName string

func (n *typeName) UnmarshalJSON(content []byte) error {
	var one string
	if json.Unmarshal(content, &one) != nil {
		var several []string
		if err := json.Unmarshal(content, &several); err != nil {
			return err
		}
		one = several[len(several)-1]
	}
	*n = typeName(one)
	return nil
}

// fields are the properties of a schema, in the order of the file.
type fields []field

type field struct {
	name   string
	schema fieldSchema
}

func (f *fields) UnmarshalJSON(content []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(content))
	if _, err := decoder.Token(); err != nil {
		return err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		var s fieldSchema
		if err := decoder.Decode(&s); err != nil {
			return err
		}
		text, ok := name.(string)
		if !ok {
			return errors.New("a member without a name")
		}
		*f = append(*f, field{text, s})
	}
	return nil
}

func (f fields) get(name string) (fieldSchema, bool) {
	for _, one := range f {
		if one.name == name {
			return one.schema, true
		}
	}
	return fieldSchema{}, false
}

func readSchema(t *testing.T, name string) fieldSchema {
	t.Helper()
	content, err := schemas.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	var s fieldSchema
	if err := json.Unmarshal(content, &s); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s
}

// A fieldCase is a kind of document that has its own set of fields: those whose field has the value.
type fieldCase struct {
	name  string
	field string
	value any
}

func (c fieldCase) matches(condition fieldSchema) bool {
	s, ok := condition.Properties.get(c.field)
	return ok && s.Const == c.value
}

// presence reports whether a document of a case must and may have a field.
func (s fieldSchema) presence(name string, c fieldCase) (required, allowed bool) {
	required, allowed = slices.Contains(s.Required, name), true
	if p, ok := s.Properties.get(name); ok {
		allowed = !p.forbidden
	}
	parts := slices.Clone(s.AllOf)
	if s.If != nil {
		if branch := s.Else; c.matches(*s.If) {
			parts = append(parts, *s.Then)
		} else if branch != nil {
			parts = append(parts, *branch)
		}
	}
	for _, part := range parts {
		r, a := part.presence(name, c)
		required, allowed = required || r, allowed && a
	}
	return required, allowed
}

// presentIn describes when a field is present, e.g. "always".
func (s fieldSchema) presentIn(name string, cases []fieldCase) string {
	if len(cases) == 0 {
		cases = []fieldCase{{}}
	}
	var always, may []string
	for _, c := range cases {
		switch required, allowed := s.presence(name, c); {
		case required:
			always = append(always, c.name)
		case allowed:
			may = append(may, c.name)
		}
	}
	switch {
	case len(always) == len(cases):
		return "always"
	case len(may) == len(cases):
		return "optional"
	case len(may) == 0:
		return strings.Join(always, ", ")
	case len(always) == 0:
		return "optional in " + strings.Join(may, ", ")
	}
	return strings.Join(always, ", ") + "; optional in " + strings.Join(may, ", ")
}

// typeName describes the values of a field, e.g. "time".
func (s fieldSchema) typeName() string {
	switch {
	case s.Const != nil:
		return fmt.Sprintf("`%v`", s.Const)
	case len(s.Enum) > 0 && len(s.Enum) <= 4:
		words := make([]string, len(s.Enum))
		for i, word := range s.Enum {
			words[i] = fmt.Sprintf("`%v`", word)
		}
		return strings.Join(words, ", ")
	case s.Format == "date-time":
		return "time"
	case s.Format == "uri":
		return "URI"
	case s.Type == "array" && s.Items.Type == "string":
		return "strings"
	case s.Type == "array":
		return "objects"
	case s.Type == "":
		return "string"
	}
	return string(s.Type)
}

// rows returns a table row for each field and nested field.
func (s fieldSchema) rows(t *testing.T, prefix string, resolve func(ref string) fieldSchema, cases []fieldCase) string {
	t.Helper()
	var b strings.Builder
	for _, f := range s.Properties {
		is := f.schema
		if is.Ref != "" {
			described := is.Description
			is = resolve(is.Ref)
			is.Description = described
		}
		if is.Description == "" {
			t.Errorf("%s%s has no description", prefix, f.name)
		}
		fmt.Fprintf(&b, "| `%s%s` | %s | %s | %s |\n", prefix, f.name, is.typeName(), s.presentIn(f.name, cases), strings.ReplaceAll(is.Description, "<", `\<`))
		switch {
		case is.ID != "": // a document of its own
			continue
		case is.Items != nil:
			b.WriteString(is.Items.rows(t, prefix+f.name+"[].", resolve, nil))
		default:
			b.WriteString(is.rows(t, prefix+f.name+".", resolve, nil))
		}
	}
	return b.String()
}

const fieldsHead = "| field | value | present | meaning |\n|---|---|---|---|\n"

// eventTable lists the attributes of an event and the fields of its data.
func eventTable(t *testing.T) string {
	t.Helper()
	data := readSchema(t, "state-changed.schema.json")
	resolve := func(ref string) fieldSchema {
		if ref == "#/$defs/stateChanged" {
			return data // the same schema in a file of its own
		}
		return data.Defs[strings.TrimPrefix(ref, "#/$defs/")]
	}
	return fieldsHead + readSchema(t, "event.schema.json").rows(t, "", resolve, nil) +
		data.rows(t, "data.", resolve, []fieldCase{{"the first", "transition", 1.0}, {"all but the first", "transition", 2.0}})
}

// progressTable lists the attributes of the progress of a job and the fields of its data.
func progressTable(t *testing.T) string {
	t.Helper()
	data := readSchema(t, "progress.schema.json")
	resolve := func(string) fieldSchema { return data } // the same schema in a file of its own
	return fieldsHead + readSchema(t, "progress-event.schema.json").rows(t, "", resolve, nil) + data.rows(t, "data.", resolve, nil)
}

// coverageTable lists the fields of a coverage record.
func coverageTable(t *testing.T) string {
	t.Helper()
	s := readSchema(t, "coverage.schema.json")
	record, _ := s.Properties.get("record")
	var cases []fieldCase
	for _, word := range record.Enum {
		cases = append(cases, fieldCase{fmt.Sprintf("`%v`", word), "record", word})
	}
	return fieldsHead + s.rows(t, "", nil, cases)
}

// headersTable lists the headers of a schema.
func headersTable(t *testing.T, name string) string {
	t.Helper()
	return strings.Replace(fieldsHead, "field", "header", 1) + readSchema(t, name).rows(t, "", nil, nil)
}
