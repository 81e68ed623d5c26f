package main

import (
	"bytes"
	"regexp"
	"testing"
)

// docs/dependencies.md explains each direct dependency, and nothing else.
func TestDependenciesAreExplained(t *testing.T) {
	direct := map[string]bool{}
	required, _, _ := bytes.Cut(readFile(t, "../../go.mod"), []byte("// indirect"))
	for _, line := range regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllSubmatch(required, -1) {
		direct[string(line[1])] = true
	}
	if len(direct) < 10 {
		t.Fatalf("go.mod requires %v", direct)
	}
	explained := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]+`) \\|").FindAllSubmatch(readFile(t, "../../docs/dependencies.md"), -1) {
		for _, module := range regexp.MustCompile("`([^`]+)`").FindAllSubmatch(row[1], -1) {
			explained[string(module[1])] = true
		}
	}
	for module := range direct {
		if !explained[module] {
			t.Errorf("docs/dependencies.md does not say what %s is for", module)
		}
	}
	for module := range explained {
		if !direct[module] {
			t.Errorf("docs/dependencies.md explains %s, which go.mod does not require", module)
		}
	}
}
