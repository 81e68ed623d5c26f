package main

import (
	"bytes"
	"go/parser"
	gotoken "go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowedImports lists the packages of the module that each package may import. Programs (cmd/) may import any; examples
// none, because they stand for the programs of users. Every other package must be listed.
var allowedImports = map[string][]string{
	"internal/admin":         {"internal/audit", "internal/event", "internal/eventlog", "internal/ingest", "internal/jobs", "internal/lifecycle", "internal/problem", "internal/spelling", "internal/status"},
	"internal/admin/console": {"internal/problem"},
	"internal/doctor":        {"internal/event", "internal/eventlog", "internal/identity", "internal/ingest", "internal/lifecycle", "internal/mkio", "internal/noanswer", "internal/printable", "internal/streams", "internal/rule"},
	"internal/durations":     {"internal/lifecycle"},
	"internal/event":         {"internal/lifecycle"},
	"internal/eventlog":      {"internal/durations", "internal/event", "internal/lifecycle", "internal/printable", "internal/tail", "internal/noanswer"},
	"internal/mkio":          {"internal/lifecycle", "internal/mkio/right", "internal/pause", "internal/printable"},
	"internal/ingest":        {"internal/lifecycle", "internal/mkio", "internal/problem", "internal/tracing"},
	"internal/publish":       {"internal/durations", "internal/event", "internal/lifecycle", "internal/pause", "internal/streams", "internal/tail", "internal/tracing", "internal/noanswer"},
	"internal/status":        {"internal/audit", "internal/doctor", "internal/durations", "internal/event", "internal/eventlog", "internal/lifecycle", "internal/mkio", "internal/printable", "internal/streams"},
	"internal/streams":       {"internal/event", "internal/noanswer", "internal/pause"},
	"internal/notify":        {"internal/event", "internal/eventlog", "internal/lifecycle", "internal/noanswer", "internal/pause", "internal/printable", "internal/spelling", "schemas"},
	"internal/poll":          {"internal/event", "internal/identity", "internal/lifecycle", "internal/mkio", "internal/pause", "internal/tracing"},
	"internal/progress":      {"internal/event", "internal/lifecycle", "internal/pause", "internal/streams", "internal/tail"},
	"internal/rule":          {"internal/event", "internal/mkio"},
	"internal/audit":         {"internal/event", "internal/eventlog", "internal/lifecycle"},
	"internal/replay":        {"internal/event", "internal/eventlog"},
	"internal/invariant":     {"internal/audit", "internal/event", "internal/eventlog", "internal/lifecycle"},
	"internal/oracle":        {"internal/event", "internal/eventlog", "internal/invariant", "internal/lifecycle", "internal/mkio", "internal/mkio/mkiofake"},
	"internal/torture":       {"internal/event", "internal/eventlog", "internal/lifecycle", "internal/mkio", "internal/mkio/mkiofake", "internal/oracle", "internal/bridgetest"},
	"internal/bridgetest":    {},
	"internal/brokertest":    {"internal/broker"},
	"internal/openapitest":   {"schemas"},
	"internal/schematest":    {"schemas"},
	"internal/tracingtest":   {"internal/event", "internal/schematest"},
	"internal/economy":       {"internal/lifecycle", "internal/mkio", "internal/mkio/mkiofake"},
	"internal/edge":          {},
	"internal/identity":      {"internal/event", "internal/eventlog"},
	"internal/jobs":          {"internal/pause"},
	"internal/lifecycle":     {},
	"internal/broker":        {},
	"internal/pause":         {},
	"internal/problem":       {},
	"internal/printable":     {},
	"internal/spelling":      {},
	"internal/tail":          {},
	"internal/tracing":       {},
	"internal/wait":          {"internal/event", "internal/eventlog", "internal/lifecycle"},
	"internal/noanswer":      {},
	"internal/mkio/right":    {},
	"internal/mkio/mkiofake": {"internal/lifecycle", "internal/mkio/right", "internal/pause"},
	"schemas":                {},
}

// natsServerUsers are the packages that may import the NATS server: for the embedded server, and for tests.
var natsServerUsers = []string{"internal/broker", "internal/brokertest"}

// tracingSDK is what records and exports spans. Only internal/tracing may import it; the others use the API.
var tracingSDK = []string{"go.opentelemetry.io/otel/sdk", "go.opentelemetry.io/otel/exporters"}

func TestImportsAreAllowed(t *testing.T) {
	const module = "mkio-bridge/"
	packages := moduleImports(t, "../..")
	if len(packages) < len(allowedImports) {
		t.Errorf("%d packages were found, %d are listed", len(packages), len(allowedImports))
	}
	for name, imports := range packages {
		allowed, listed := allowedImports[name]
		example := strings.HasPrefix(name+"/", "examples/")
		if !listed && !example && !strings.HasPrefix(name, "cmd/") {
			t.Errorf("%s is not in allowedImports", name)
		}
		for _, i := range imports {
			to, own := strings.CutPrefix(i, module)
			if own && (listed || example) && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s", name, to)
			}
			if name == "internal/lifecycle" && strings.Contains(strings.Split(i, "/")[0], ".") {
				t.Errorf("%s imports %s: it may import the standard library only", name, i)
			}
			if strings.HasPrefix(i, "github.com/nats-io/nats-server/") && !slices.Contains(natsServerUsers, name) {
				t.Errorf("%s imports %s: only %v may import the server", name, i, natsServerUsers)
			}
			if slices.ContainsFunc(tracingSDK, func(p string) bool { return strings.HasPrefix(i, p) }) && name != "internal/tracing" {
				t.Errorf("%s imports %s: only internal/tracing exports traces", name, i)
			}
		}
	}
}

// mayNameVariables are the internal packages that may name environment variables, because they configure bridges as a user
// does. The others return typed errors, to which cmd/bridge adds the setting to change.
var mayNameVariables = []string{"bridgetest", "torture"}

func TestOnlyTheCommandNamesVariables(t *testing.T) {
	const internal = "../../internal"
	err := filepath.WalkDir(internal, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains(mayNameVariables, d.Name()) && filepath.Dir(file) == filepath.Clean(internal) {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") && bytes.Contains(readFile(t, file), []byte(prefix+"_")) {
			t.Errorf("%s names an environment variable: return a typed error, and name the setting in cmd/bridge", file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// moduleImports returns the imports of each package of a module, by its path in the module, without tests and nested
// modules.
func moduleImports(t *testing.T, root string) map[string][]string {
	t.Helper()
	packages := map[string][]string{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, noModule := os.Stat(filepath.Join(file, "go.mod"))
			if file != root && (d.Name() == "testdata" || strings.ContainsAny(d.Name()[:1], "._") || noModule == nil) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		within, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		name := path.Dir(filepath.ToSlash(within))
		imports := packages[name]
		for _, spec := range parsed.Imports {
			i, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, i)
		}
		packages[name] = imports
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}
