// Package schemas is the public contract as files: JSON Schemas of what the bridge writes. They are
// part of the binary, which serves them under /schemas/ and prints them with `bridge schema`.
package schemas

import (
	"embed"
	"slices"
)

//go:embed *.schema.json
var files embed.FS

// Names returns the file names of all schemas, sorted.
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

// Read returns a schema by its file name.
func Read(name string) ([]byte, error) { return files.ReadFile(name) }
