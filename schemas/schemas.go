// Package schemas is the public contract as files: JSON Schemas of what the bridge writes, an AsyncAPI document of the subjects
// and streams, and an OpenAPI document of both HTTP listeners. They are embedded in the binary, which serves them under
// /schemas/ and prints them with `mkio-bridge schema`.
//
// Every schema is complete in its file: event.schema.json contains the schema of its data, state-changed.schema.json, which
// events name as their dataschema, and progress-event.schema.json likewise progress.schema.json.
//
// A published schema is never edited, because consumers validate with it: published.sum has the digest of each. The
// directory examples has messages as the bridge writes them.
package schemas

import (
	"embed"
	"slices"
	"strings"
)

//go:embed *.schema.json asyncapi.yaml openapi.yaml
var files embed.FS

// Names of the documents.
const (
	AsyncAPI = "asyncapi.yaml" // subjects, streams and messages
	OpenAPI  = "openapi.yaml"  // requests and responses over HTTP
)

const schemaSuffix = ".schema.json"

// Names returns all file names, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // cannot happen: the directory is embedded
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

// FileName returns the name of the file that a short name such as event or asyncapi stands for; other names are returned as
// they are.
func FileName(short string) string {
	for _, name := range Names() {
		if base, _, _ := strings.Cut(name, "."); base == short {
			return name
		}
	}
	return short
}

// Read returns a file by its name.
func Read(name string) ([]byte, error) { return files.ReadFile(name) }

// MediaType returns the media type with which a file is served.
func MediaType(name string) string {
	switch name {
	case AsyncAPI:
		return "application/vnd.aai.asyncapi+yaml;version=3.1.0"
	case OpenAPI:
		return "application/openapi+yaml;version=3.1.1"
	}
	return "application/schema+json"
}
