package schemas_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mkio-bridge/schemas"
)

// A bundle is the schema of an event, which contains the schema of its data under a name, because tools that generate types do
// not resolve a URN: so it is the one file that they need.
type bundle struct{ event, data, name string }

var bundles = []bundle{
	{"event.schema.json", "state-changed.schema.json", "stateChanged"},
	{"progress-event.schema.json", "progress.schema.json", "progress"},
}

// -update copies the schemas of data into those of events.
func TestEventSchemasContainTheSchemaOfData(t *testing.T) {
	for _, b := range bundles {
		if *update {
			if err := os.WriteFile(b.event, b.content(t), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		event, err := os.ReadFile(b.event)
		if err != nil {
			t.Fatal(err)
		}
		want := jsonSchema(t, b.data)
		defs := in(want, "$defs")
		if defs == nil {
			defs = object{}
		}
		for _, name := range []string{"$schema", "$id", "$defs"} {
			delete(want, name)
		}
		defs[b.name] = want
		if is := in(parse(t, event), "$defs"); !reflect.DeepEqual(is, defs) {
			t.Errorf("%s does not contain %s: run go test ./schemas -update", b.event, b.data)
		}
	}
}

// Every reference of a schema is to a place in the same file.
func TestSchemasReferToThemselvesOnly(t *testing.T) {
	found := 0
	var walk func(name string, whole object, value any)
	walk = func(name string, whole object, value any) {
		switch v := value.(type) {
		case object:
			if ref, ok := v["$ref"].(string); ok {
				found++
				inside, local := strings.CutPrefix(ref, "#/")
				if !local || len(in(whole, strings.Split(inside, "/")...)) == 0 {
					t.Errorf("%s refers to %s", name, ref)
				}
			}
			for _, member := range v {
				walk(name, whole, member)
			}
		case []any:
			for _, item := range v {
				walk(name, whole, item)
			}
		}
	}
	for _, name := range schemas.JSONSchemas() {
		schema := jsonSchema(t, name)
		walk(name, schema, schema)
	}
	if found == 0 {
		t.Error("no references")
	}
}

// A member is one of an object's, with its value as it is written.
type member struct {
	name  string
	value json.RawMessage
}

// membersOf returns the members of an object in the order in which they are written.
func membersOf(t *testing.T, content []byte) (all []member) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(content))
	if _, err := decoder.Token(); err != nil {
		t.Fatal(err)
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			t.Fatal(err)
		}
		m := member{name: name.(string)}
		if err := decoder.Decode(&m.value); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// take removes a member by its name, and returns its value.
func take(all []member, name string) (rest []member, value json.RawMessage) {
	i := slices.IndexFunc(all, func(m member) bool { return m.name == name })
	if i < 0 {
		return all, nil
	}
	value = all[i].value
	return slices.Delete(all, i, i+1), value
}

// objectOf writes members as an object whose closing brace is at an indentation.
func objectOf(all []member, indent string) json.RawMessage {
	var lines []string
	for _, m := range all {
		lines = append(lines, indent+"  "+`"`+m.name+`": `+string(m.value))
	}
	return json.RawMessage("{\n" + strings.Join(lines, ",\n") + "\n" + indent + "}")
}

// content returns the schema of the event with the current schema of data as one of its definitions.
func (b bundle) content(t *testing.T) []byte {
	t.Helper()
	read := func(name string) []byte {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	data := membersOf(t, bytes.ReplaceAll(read(b.data), []byte("\n"), []byte("\n    "))) // where it is in the bundle
	data, definitions := take(data, "$defs")
	data, _ = take(data, "$schema")
	data, _ = take(data, "$id")
	defs := []member{{b.name, objectOf(data, "    ")}}
	if definitions != nil {
		defs = append(defs, membersOf(t, definitions)...)
	}
	event, _ := take(membersOf(t, read(b.event)), "$defs")
	return append(objectOf(append(event, member{"$defs", objectOf(defs, "  ")}), ""), '\n')
}
