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

const publishedFile = "published.sum"

// changedMessage tells a developer what to do about a changed published schema.
const changedMessage = `%s is published and was changed: consumers validate with the old text.
Revert the change. If consumers of the old schema still understand what is written (a new optional member, a better description), put
the new text into a new file with the next minor version in its $id (…:1.1), and write that $id. If they do not (a removed member,
another meaning), it is a new major version with a new $id (…:2), and for an event a new type, which is written in addition to the old one
until no consumer reads the old one.
Only a schema that was in no release may change in place: then correct its line in %s by hand. It is
%s`

// A published schema is never edited. published.sum has its digest, its file and its $id.
func TestPublishedSchemasAreUnchanged(t *testing.T) {
	lines := map[string]string{}
	for _, name := range schemas.JSONSchemas() {
		content, err := schemas.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		lines[name] = fmt.Sprintf("%s  %s  %s\n", hex.EncodeToString(sum[:]), name, jsonSchema(t, name)["$id"])
	}
	content, err := os.ReadFile(publishedFile)
	if err != nil && !*update {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			t.Fatalf("%s: a line is not digest, file and $id: %s", publishedFile, line)
		}
		name := fields[1]
		listed[name] = true
		switch is, ok := lines[name]; {
		case !ok:
			t.Errorf("%s is published and was removed: consumers validate with it. Restore it", name)
		case is != line:
			t.Errorf(changedMessage, name, publishedFile, is)
		}
	}
	for _, name := range schemas.JSONSchemas() {
		switch {
		case listed[name]:
		case *update: // adds lines for new schemas; existing lines are only changed by hand
			content = append(content, lines[name]...)
		default:
			t.Errorf("%s is not in %s: run go test ./schemas -update", name, publishedFile)
		}
	}
	if *update {
		if err := os.WriteFile(publishedFile, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNoTwoSchemasShareAnID(t *testing.T) {
	files := map[any]string{}
	for _, name := range schemas.JSONSchemas() {
		id := jsonSchema(t, name)["$id"]
		if other, ok := files[id]; ok {
			t.Errorf("%s and %s both have the $id %s", other, name, id)
		}
		files[id] = name
	}
}
