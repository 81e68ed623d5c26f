// Package schematest lets tests hold what the bridge wrote against its published schemas.
package schematest

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"mkio-bridge/schemas"
)

// eventSchema is the $id of the schema of a whole event.
const eventSchema = "urn:mkio-bridge:schema:event:1"

// Event fails the test when a payload is not an event as the schema says.
func Event(t testing.TB, payload []byte) {
	t.Helper()
	schema, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
	if err != nil {
		t.Fatalf("an event is no JSON: %v\n%s", err, payload)
	}
	if err := schema.Validate(document); err != nil {
		t.Errorf("an event breaks its schema: %v\n%s", err, payload)
	}
}

var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiler.UseLoader(nothing{})
	for _, name := range schemas.Names() {
		content, err := schemas.Read(name)
		if err != nil {
			return nil, err
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
		if err != nil {
			return nil, err
		}
		object, ok := document.(map[string]any)
		if !ok {
			return nil, errors.New(name + " is no object")
		}
		id, ok := object["$id"].(string)
		if !ok {
			return nil, errors.New(name + " has no $id")
		}
		if err := compiler.AddResource(id, document); err != nil {
			return nil, err
		}
	}
	return compiler.Compile(eventSchema)
})

// nothing loads nothing: a schema must not reach for the network.
type nothing struct{}

func (nothing) Load(url string) (any, error) { return nil, errors.New("no schema at " + url) }
