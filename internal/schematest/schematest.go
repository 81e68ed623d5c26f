// Package schematest lets tests validate what the bridge writes against its published schemas.
package schematest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"mkio-bridge/schemas"
)

// The schemas, by their $id.
const (
	eventSchema        = "urn:mkio-bridge:schema:event:1"
	eventHeadersSchema = "urn:mkio-bridge:schema:event-headers:1"
	unappliedSchema    = "urn:mkio-bridge:schema:unapplied:1"
	coverageSchema     = "urn:mkio-bridge:schema:coverage:1"
	progressSchema     = "urn:mkio-bridge:schema:progress-event:1"
	evidenceSchema     = "urn:mkio-bridge:schema:evidence:1"
)

// Event fails the test if a payload violates the schema of events.
func Event(t testing.TB, payload []byte) {
	t.Helper()
	check(t, "an event", eventSchema, payload)
}

// EventHeaders fails the test if the headers of an event violate their schema.
func EventHeaders(t testing.TB, header map[string][]string) {
	t.Helper()
	check(t, "the headers of an event", eventHeadersSchema, headersJSON(t, header))
}

// Unapplied fails the test if the headers of an unapplied delivery violate their schema.
func Unapplied(t testing.TB, header map[string][]string) {
	t.Helper()
	check(t, "the headers of an unapplied delivery", unappliedSchema, headersJSON(t, header))
}

// Coverage fails the test if a payload violates the schema of coverage records.
func Coverage(t testing.TB, payload []byte) {
	t.Helper()
	check(t, "a coverage record", coverageSchema, payload)
}

// Progress fails the test if a payload violates the schema of the progress of jobs.
func Progress(t testing.TB, payload []byte) {
	t.Helper()
	check(t, "a progress", progressSchema, payload)
}

// Evidence fails the test if an evidence file violates its schema.
func Evidence(t testing.TB, file []byte) {
	t.Helper()
	check(t, "an evidence file", evidenceSchema, file)
}

func check(t testing.TB, what, id string, document []byte) {
	t.Helper()
	if err := Validate(id, document); err != nil {
		t.Errorf("%s violates the schema: %v\n%s", what, err, document)
	}
}

// headersJSON returns headers as the JSON object that the schemas describe: each header has one value.
func headersJSON(t testing.TB, header map[string][]string) []byte {
	t.Helper()
	object := map[string]string{}
	for name, values := range header {
		if len(values) != 1 {
			t.Errorf("header %s has %d values", name, len(values))
			continue
		}
		object[name] = values[0]
	}
	document, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// Validate returns an error if a JSON document violates the published schema with an $id.
func Validate(id string, document []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	schema, err := compile(id)
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

var (
	mu       sync.Mutex // protects compiler, and is held while a schema is compiled
	compiler *jsonschema.Compiler
)

func compile(id string) (*jsonschema.Schema, error) {
	mu.Lock()
	defer mu.Unlock()
	if compiler == nil {
		c, err := newCompiler()
		if err != nil {
			return nil, err
		}
		compiler = c
	}
	return compiler.Compile(id)
}

// newCompiler returns a compiler with the published schemas.
func newCompiler() (*jsonschema.Compiler, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.UseLoader(noLoader{})
	for _, name := range schemas.JSONSchemas() {
		content, err := schemas.Read(name)
		if err != nil {
			return nil, err
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		object, ok := document.(map[string]any)
		if !ok {
			return nil, errors.New(name + " is not an object")
		}
		id, ok := object["$id"].(string)
		if !ok {
			return nil, errors.New(name + " has no $id")
		}
		if err := c.AddResource(id, document); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// noLoader loads nothing: schemas must not use the network.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) { return nil, errors.New("no schema at " + url) }
