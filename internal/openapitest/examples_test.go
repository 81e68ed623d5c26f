package openapitest

import (
	"encoding/json"
	"iter"
	"testing"

	"github.com/pb33f/libopenapi-validator/schema_validation"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
	"github.com/pb33f/libopenapi/orderedmap"
)

// The examples in the document follow their schemas.
func TestExamplesFollowTheirSchemas(t *testing.T) {
	d, err := load()
	if err != nil {
		t.Fatal(err)
	}
	schemas, checked := schema_validation.NewSchemaValidator(), 0
	for where, media := range d.contents() {
		for name, text := range examplesOf(t, media) {
			checked++
			if _, wrong := schemas.ValidateSchemaString(media.Schema.Schema(), text); len(wrong) > 0 {
				t.Errorf("%s, example %s: %v", where, name, messages(wrong))
			}
		}
	}
	if checked < 5 {
		t.Errorf("only %d examples", checked)
	}
}

// contents yields the contents of all requests and responses that are JSON, with where they are.
func (d *document) contents() iter.Seq2[string, *v3.MediaType] {
	return func(yield func(string, *v3.MediaType) bool) {
		all := func(where string, content *orderedmap.Map[string, *v3.MediaType]) bool {
			for name, media := range content.FromOldest() {
				if (name == "application/json" || name == problemJSON || name == "application/cloudevents+json") && !yield(where, media) {
					return false
				}
			}
			return true
		}
		for path, item := range d.model.Paths.PathItems.FromOldest() {
			for method, operation := range item.GetOperations().FromOldest() {
				if operation.RequestBody != nil && !all(method+" "+path, operation.RequestBody.Content) {
					return
				}
				for status, response := range operation.Responses.Codes.FromOldest() {
					if !all(method+" "+path+", "+status, response.Content) {
						return
					}
				}
			}
		}
	}
}

// examplesOf yields the examples of a content as JSON.
func examplesOf(t *testing.T, media *v3.MediaType) iter.Seq2[string, string] {
	t.Helper()
	return func(yield func(string, string) bool) {
		if media.Example != nil && !yield("", asJSON(t, media.Example)) {
			return
		}
		for name, example := range media.Examples.FromOldest() {
			if example.Value != nil && !yield(name, asJSON(t, example.Value)) {
				return
			}
		}
	}
}

// asJSON returns a value of the document as JSON.
func asJSON(t *testing.T, node interface{ Decode(any) error }) string {
	t.Helper()
	var value any
	if err := node.Decode(&value); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
