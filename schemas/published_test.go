package schemas_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"mkio-bridge/schemas"
)

const published = "published.sum"

// leaveIt is for whoever changed a published schema.
const leaveIt = `%s is published and was changed: whoever validates with it has another text.
Take the change back. Then, where a reader of the old text still understands what is written (one more optional member, a better
description), put the new text into a file of its own with the next minor version in its $id (…:1.1), and have that named in what is
written. Where it does not (a member that is gone, another meaning), it is a new major version with a new $id (…:2), and of an event
a new type, which is written beside the old one until nobody reads that.
Only a schema that no release had may change in place: a person then puts its line in %s right. It is
%s`

// A schema that somebody may have is never edited. published.sum has its digest, its file and its $id.
func TestPublishedSchemasStayAsTheyAre(t *testing.T) {
	lines := map[string]string{}
	for _, name := range schemas.JSONSchemas() {
		content, err := schemas.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		lines[name] = fmt.Sprintf("%s  %s  %s\n", hex.EncodeToString(sum[:]), name, jsonSchema(t, name)["$id"])
	}
	content, err := os.ReadFile(published)
	if err != nil && !*update {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			t.Fatalf("%s: a line is no digest, file and $id: %s", published, line)
		}
		name := fields[1]
		listed[name] = true
		switch is, ok := lines[name]; {
		case !ok:
			t.Errorf("%s is published and has gone: whoever validates with it finds nothing. Put it back", name)
		case is != line:
			t.Errorf(leaveIt, name, published, is)
		}
	}
	for _, name := range schemas.JSONSchemas() {
		switch {
		case listed[name]:
		case *update: // what is new alone: a line that is there is never changed by a program
			content = append(content, lines[name]...)
		default:
			t.Errorf("%s is not in %s: run go test ./schemas -update", name, published)
		}
	}
	if *update {
		if err := os.WriteFile(published, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNoTwoSchemasShareAnID(t *testing.T) {
	files := map[any]string{}
	for _, name := range schemas.JSONSchemas() {
		id := jsonSchema(t, name)["$id"]
		if other, ok := files[id]; ok {
			t.Errorf("%s and %s are both %s", other, name, id)
		}
		files[id] = name
	}
}
