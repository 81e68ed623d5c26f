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

// arrows says which packages of the module each package may import. Programs import what they like; examples none, for
// they are what others write. What is not listed otherwise may not be there.
var arrows = map[string][]string{
	"internal/admin":         {"internal/eventlog", "internal/ingest", "internal/lifecycle", "internal/problem", "internal/spelling"},
	"internal/doctor":        {"internal/event", "internal/eventlog", "internal/identity", "internal/ingest", "internal/lifecycle", "internal/mkio", "internal/noanswer", "internal/printable", "internal/streams", "internal/rule"},
	"internal/event":         {"internal/lifecycle"},
	"internal/eventlog":      {"internal/event", "internal/lifecycle", "internal/printable", "internal/tail", "internal/noanswer"},
	"internal/mkio":          {"internal/lifecycle", "internal/pause", "internal/printable"},
	"internal/ingest":        {"internal/lifecycle", "internal/mkio", "internal/problem", "internal/tracing"},
	"internal/publish":       {"internal/event", "internal/lifecycle", "internal/pause", "internal/streams", "internal/tail", "internal/tracing", "internal/noanswer"},
	"internal/streams":       {"internal/event", "internal/noanswer", "internal/pause"},
	"internal/poll":          {"internal/event", "internal/identity", "internal/lifecycle", "internal/mkio", "internal/pause", "internal/tracing"},
	"internal/rule":          {"internal/event", "internal/mkio"},
	"internal/audit":         {"internal/event", "internal/eventlog", "internal/lifecycle"},
	"internal/replay":        {"internal/event", "internal/eventlog"},
	"internal/invariant":     {"internal/audit", "internal/event", "internal/eventlog", "internal/lifecycle"},
	"internal/oracle":        {"internal/event", "internal/eventlog", "internal/invariant", "internal/lifecycle", "internal/mkio", "internal/mkio/mkiofake"},
	"internal/torture":       {"internal/event", "internal/eventlog", "internal/lifecycle", "internal/mkio", "internal/mkio/mkiofake", "internal/oracle", "internal/bridgetest"},
	"internal/bridgetest":    {},
	"internal/brokertest":    {"internal/broker"},
	"internal/schematest":    {"schemas"},
	"internal/tracingtest":   {"internal/event", "internal/schematest"},
	"internal/edge":          {},
	"internal/identity":      {"internal/event", "internal/eventlog"},
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
	"internal/mkio/mkiofake": {"internal/lifecycle", "internal/pause"},
	"schemas":                {},
}

// natsServerUsers are the packages that know the server of NATS: the bridge's own, and that of tests.
var natsServerUsers = []string{"internal/broker", "internal/brokertest"}

// sdkOfTraces is what makes spans real. All others know their interface alone.
var sdkOfTraces = []string{"go.opentelemetry.io/otel/sdk", "go.opentelemetry.io/otel/exporters"}

func TestImportsFollowTheArrows(t *testing.T) {
	const module = "mkio-bridge/"
	packages := importsOfModule(t, "../..")
	if len(packages) < len(arrows) {
		t.Errorf("%d packages were found, %d are listed", len(packages), len(arrows))
	}
	for name, imports := range packages {
		allowed, listed := arrows[name]
		example := strings.HasPrefix(name+"/", "examples/")
		if !listed && !example && !strings.HasPrefix(name, "cmd/") {
			t.Errorf("%s is not in the list of arrows", name)
		}
		for _, i := range imports {
			to, own := strings.CutPrefix(i, module)
			if own && (listed || example) && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s", name, to)
			}
			if name == "internal/lifecycle" && strings.Contains(strings.Split(i, "/")[0], ".") {
				t.Errorf("%s imports %s: it is to use the standard library only", name, i)
			}
			if strings.HasPrefix(i, "github.com/nats-io/nats-server/") && !slices.Contains(natsServerUsers, name) {
				t.Errorf("%s imports %s: only %v know the server", name, i, natsServerUsers)
			}
			if slices.ContainsFunc(sdkOfTraces, func(p string) bool { return strings.HasPrefix(i, p) }) && name != "internal/tracing" {
				t.Errorf("%s imports %s: only internal/tracing knows how traces are exported", name, i)
			}
		}
	}
}

// namesVariables are the packages of internal that may name variables of the environment: those that configure bridges as a
// user does. The other packages return typed errors, and the advice that names a setting is given in cmd/bridge.
var namesVariables = []string{"bridgetest", "torture"}

func TestOnlyTheCommandNamesVariables(t *testing.T) {
	const internal = "../../internal"
	err := filepath.WalkDir(internal, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains(namesVariables, d.Name()) && filepath.Dir(file) == filepath.Clean(internal) {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") && bytes.Contains(readFile(t, file), []byte(prefix+"_")) {
			t.Errorf("%s names a variable of the environment: return a typed error, and name the setting in cmd/bridge", file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// importsOfModule reads what the packages of a module import, by their paths in it. Tests do not count, nor do modules
// within the module.
func importsOfModule(t *testing.T, root string) map[string][]string {
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
