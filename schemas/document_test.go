package schemas_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"mkio-bridge/internal/schematest"
	"mkio-bridge/schemas"
)

// object is a JSON or YAML object, with numbers as JSON has them.
type object = map[string]any

// asyncAPI returns the AsyncAPI document.
func asyncAPI(t *testing.T) object {
	t.Helper()
	content, err := schemas.Read(schemas.AsyncAPI)
	if err != nil {
		t.Fatal(err)
	}
	var document any
	if err := yaml.Unmarshal(content, &document); err != nil {
		t.Fatal(err)
	}
	return asJSON(t, document)
}

// asJSON returns a value after a JSON round trip, so that values can be compared.
func asJSON(t *testing.T, value any) object {
	t.Helper()
	content, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, content)
}

func parse(t *testing.T, content []byte) object {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	o, ok := value.(object)
	if !ok {
		t.Fatalf("no object: %s", content)
	}
	return o
}

// jsonSchema returns one of the JSON Schemas.
func jsonSchema(t *testing.T, name string) object {
	t.Helper()
	content, err := schemas.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, content)
}

// in returns the nested member at a path; a missing one is an empty object.
func in(o object, path ...string) object {
	for _, name := range path {
		o, _ = o[name].(object)
	}
	return o
}

// noLoader loads nothing: schemas must not use the network.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) { return nil, errors.New("no schema at " + url) }

func TestDocumentIsAsyncAPI(t *testing.T) {
	content, err := os.ReadFile("testdata/asyncapi-3.1.0.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	const id = "https://schema.invalid/asyncapi.json"
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiler.UseLoader(noLoader{})
	if err := compiler.AddResource(id, parse(t, content)); err != nil {
		t.Fatal(err)
	}
	specification, err := compiler.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	if err := specification.Validate(asyncAPI(t)); err != nil {
		t.Errorf("%s: %v", schemas.AsyncAPI, err)
	}
	if want := "version=" + asyncAPI(t)["asyncapi"].(string); !strings.HasSuffix(schemas.MediaType(schemas.AsyncAPI), want) {
		t.Errorf("the media type is %s, want %s", schemas.MediaType(schemas.AsyncAPI), want)
	}
}

func TestReferencesResolve(t *testing.T) {
	document := asyncAPI(t)
	found := 0
	var walk func(any)
	walk = func(value any) {
		switch v := value.(type) {
		case object:
			if ref, ok := v["$ref"].(string); ok {
				found++
				if resolve(t, document, ref) == nil {
					t.Errorf("%s does not resolve", ref)
				}
			}
			for member := range maps.Values(v) {
				walk(member)
			}
		case []any:
			for _, item := range v {
				walk(item)
			}
		}
	}
	walk(document)
	if found < 50 {
		t.Errorf("only %d references", found)
	}
}

// resolve returns the target of a reference of the document; nil if there is none. A file reference is to a schema that is
// served beside the document.
func resolve(t *testing.T, document object, ref string) object {
	t.Helper()
	if file, ok := strings.CutPrefix(ref, "./"); ok && slices.Contains(schemas.Names(), file) {
		return jsonSchema(t, file)
	}
	inside, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil
	}
	return in(document, strings.Split(inside, "/")...)
}

func TestEachChannelHasAnOperation(t *testing.T) {
	document := asyncAPI(t)
	written := map[string]bool{}
	for name, operation := range in(document, "operations") {
		o := operation.(object)
		channel := in(o, "channel")["$ref"].(string)
		written[channel] = true
		if o["action"] != "send" {
			t.Errorf("%s is %s", name, o["action"])
		}
		for _, message := range o["messages"].([]any) {
			if ref := message.(object)["$ref"].(string); !strings.HasPrefix(ref, channel+"/messages/") {
				t.Errorf("%s: message %s is not of channel %s", name, ref, channel)
			}
		}
	}
	for name, channel := range in(document, "channels") {
		filled := in(channel.(object), "x-jetstream")["filledFrom"] != nil
		if written["#/channels/"+name] == filled {
			t.Errorf("%s: written by an operation %t, filled by the server %t", name, !filled, filled)
		}
	}
}

func TestExamplesInTheDocument(t *testing.T) {
	document := asyncAPI(t)
	for name, m := range in(document, "components", "messages") {
		message := m.(object)
		examples, _ := message["examples"].([]any)
		if len(examples) == 0 {
			t.Errorf("%s has no example", name)
		}
		for _, e := range examples {
			for _, part := range []string{"headers", "payload"} {
				ref, ok := in(message, part)["$ref"].(string)
				if !ok {
					continue
				}
				content, err := json.Marshal(e.(object)[part])
				if err != nil {
					t.Fatal(err)
				}
				if err := schematest.Validate(schemaID(t, ref), content); err != nil {
					t.Errorf("%s of the example %s: %v", part, e.(object)["name"], err)
				}
			}
		}
	}
}

// schemaID returns the $id of the JSON Schema that a reference of the document means.
func schemaID(t *testing.T, ref string) string {
	t.Helper()
	return jsonSchema(t, strings.TrimPrefix(ref, "./"))["$id"].(string)
}
