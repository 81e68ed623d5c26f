// Package schemas is the public contract as files: JSON Schemas of what the bridge writes, and an
// AsyncAPI document that says where. They are part of the binary, which serves them under /schemas/
// and prints them with `bridge schema`.
//
// A schema that is published is never edited, for somebody may have it: published.sum holds the
// digest of each. examples holds messages as the bridge writes them.
package schemas

import (
	"embed"
	"slices"
	"strings"
)

//go:embed *.schema.json asyncapi.yaml
var files embed.FS

// AsyncAPI is the file name of the document that describes subjects, streams and messages.
const AsyncAPI = "asyncapi.yaml"

const schemaSuffix = ".schema.json"

// Names returns all file names, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // it is part of the binary
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names
}

// JSONSchemas returns the file names of the JSON Schemas, sorted.
func JSONSchemas() []string {
	return slices.DeleteFunc(Names(), func(name string) bool { return !strings.HasSuffix(name, schemaSuffix) })
}

// Read returns a file by its name.
func Read(name string) ([]byte, error) { return files.ReadFile(name) }

// MediaType is what the file of a name is served as.
func MediaType(name string) string {
	if name == AsyncAPI {
		return "application/vnd.aai.asyncapi+yaml;version=3.1.0"
	}
	return "application/schema+json"
}
