package main

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// arrows says which packages of the module each package may import. Programs import what they like; examples none, for
// they are what others write. What is not listed otherwise may not be there.
var arrows = map[string][]string{
	"internal/event":         {"internal/lifecycle"},
	"internal/eventlog":      {"internal/event", "internal/lifecycle", "internal/tail"},
	"internal/mkio":          {"internal/lifecycle"},
	"internal/ingest":        {"internal/lifecycle", "internal/mkio", "internal/problem", "internal/tracing"},
	"internal/publish":       {"internal/event", "internal/lifecycle", "internal/tail", "internal/tracing"},
	"internal/poll":          {"internal/event", "internal/lifecycle", "internal/mkio", "internal/tracing"},
	"internal/rule":          {"internal/event", "internal/mkio"},
	"internal/audit":         {"internal/event", "internal/eventlog", "internal/lifecycle"},
	"internal/replay":        {"internal/event", "internal/eventlog"},
	"internal/invariant":     {"internal/audit", "internal/event", "internal/eventlog", "internal/lifecycle"},
	"internal/witness":       {"internal/event", "internal/eventlog", "internal/invariant", "internal/lifecycle", "internal/mkio", "internal/mkio/mkiofake"},
	"internal/torture":       {"internal/event", "internal/eventlog", "internal/lifecycle", "internal/mkio", "internal/mkio/mkiofake", "internal/witness"},
	"internal/brokertest":    {"internal/broker"},
	"internal/schematest":    {"schemas"},
	"internal/lifecycle":     {},
	"internal/broker":        {},
	"internal/problem":       {},
	"internal/tail":          {},
	"internal/tracing":       {},
	"internal/mkio/mkiofake": {"internal/lifecycle"},
	"schemas":                {},
}

// sdkOfTraces is what makes spans real. All others know their interface alone.
var sdkOfTraces = []string{"go.opentelemetry.io/otel/sdk", "go.opentelemetry.io/otel/exporters"}

func TestImportsFollowTheArrows(t *testing.T) {
	const module = "mkio-bridge/"
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p struct {
			ImportPath    string
			Imports, Deps []string
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, module)
		allowed, listed := arrows[name]
		example := strings.HasPrefix(name+"/", "examples/")
		if !listed && !example && !strings.HasPrefix(name, "cmd/") {
			t.Errorf("%s is not in the list of arrows", name)
		}
		if slices.ContainsFunc(p.Deps, func(p string) bool { return strings.HasPrefix(p, "google.golang.org/grpc") }) {
			t.Errorf("%s brings gRPC, which is a tenth of the bridge", name)
		}
		for _, i := range p.Imports {
			to, own := strings.CutPrefix(i, module)
			if own && (listed || example) && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s", name, to)
			}
			if name == "internal/lifecycle" && strings.Contains(strings.Split(i, "/")[0], ".") {
				t.Errorf("%s imports %s: it is to use the standard library only", name, i)
			}
			if strings.HasPrefix(i, "github.com/nats-io/nats-server/") && name != "internal/broker" {
				t.Errorf("%s imports %s: only internal/broker knows the server", name, i)
			}
			if slices.ContainsFunc(sdkOfTraces, func(p string) bool { return strings.HasPrefix(i, p) }) && name != "internal/tracing" {
				t.Errorf("%s imports %s: only internal/tracing knows how traces are exported", name, i)
			}
		}
	}
}
