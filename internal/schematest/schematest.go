// Package schematest lets tests hold what the bridge wrote against its published schemas.
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
)

// Event fails the test when a payload is not an event as the schema says.
func Event(t testing.TB, payload []byte) {
	t.Helper()
	check(t, "an event", eventSchema, payload)
}

// EventHeaders fails the test when an event's headers are not as the schema says.
func EventHeaders(t testing.TB, header map[string][]string) {
	t.Helper()
	check(t, "the headers of an event", eventHeadersSchema, single(t, header))
}

// Unapplied fails the test when the headers of a delivery that was kept are not as the schema says.
func Unapplied(t testing.TB, header map[string][]string) {
	t.Helper()
	check(t, "the headers of a kept delivery", unappliedSchema, single(t, header))
}

// Coverage fails the test when a payload is not a record of coverage as the schema says.
func Coverage(t testing.TB, payload []byte) {
	t.Helper()
	check(t, "a record of coverage", coverageSchema, payload)
}

func check(t testing.TB, what, id string, document []byte) {
	t.Helper()
	if err := Validate(id, document); err != nil {
		t.Errorf("%s breaks its schema: %v\n%s", what, err, document)
	}
}

// single writes headers down as the schemas see them: each has one value.
func single(t testing.TB, header map[string][]string) []byte {
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

// Validate says what in a JSON document breaks the published schema of an $id.
func Validate(id string, document []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return fmt.Errorf("it is no JSON: %w", err)
	}
	schema, err := compiled(id)
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

var (
	mu       sync.Mutex // held while a schema is compiled
	compiler *jsonschema.Compiler
)

func compiled(id string) (*jsonschema.Schema, error) {
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

// newCompiler returns a compiler that knows the published schemas.
func newCompiler() (*jsonschema.Compiler, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.UseLoader(nothing{})
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
			return nil, errors.New(name + " is no object")
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

// nothing loads nothing: a schema must not reach for the network.
type nothing struct{}

func (nothing) Load(url string) (any, error) { return nil, errors.New("no schema at " + url) }
