package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"mkio-bridge/internal/notify"
)

// notifyPage describes mkio-bridge notify.
const notifyPage = "../../docs/notify.md"

// rulesTable lists the members of a definition in the schema of rules files.
func rulesTable(t *testing.T, definition string) string {
	t.Helper()
	all := readSchema(t, notify.SchemaFile).Defs
	s := all[definition]
	if len(s.Properties) == 0 {
		t.Fatalf("%s does not define %s", notify.SchemaFile, definition)
	}
	var b strings.Builder
	b.WriteString("| member | meaning |\n|---|---|\n")
	writeMembers(&b, all, "", s)
	return b.String()
}

// writeMembers writes the rows of a schema and of what is in its members. A definition has a table of its own.
func writeMembers(b *strings.Builder, definitions map[string]fieldSchema, path string, s fieldSchema) {
	for _, p := range s.Properties {
		name, inner := path+p.name, p.schema
		meaning := inner.Description
		if inner.Ref != "" {
			meaning = definitions[strings.TrimPrefix(inner.Ref, "#/$defs/")].Description
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", name, meaning)
		if inner.Items != nil {
			writeMembers(b, definitions, name+"[].", *inner.Items)
		}
		writeMembers(b, definitions, name+".", inner)
	}
}

func TestNotifyPageExplainsEachFunction(t *testing.T) {
	text := string(readFile(t, notifyPage))
	for _, name := range notify.Functions() {
		if !regexp.MustCompile("(?m)^\\|[^|]*`" + name + "`").MatchString(text) {
			t.Errorf("docs/notify.md does not explain the function %s", name)
		}
	}
}

// Each rules file on the page is valid. A part of one is completed by the targets and rules that it lacks.
func TestRulesOnNotifyPageAreValid(t *testing.T) {
	blocks := slices.Collect(strings.SplitSeq(string(readFile(t, notifyPage)), "```yaml\n"))[1:]
	if len(blocks) < 3 {
		t.Fatalf("docs/notify.md has only %d examples", len(blocks))
	}
	for _, block := range blocks {
		text, _, _ := strings.Cut(block, "```")
		var file map[string]any
		if err := yaml.Unmarshal([]byte(text), &file); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if file["targets"] == nil {
			file["targets"] = map[string]any{"channel": map[string]any{"service": map[string]any{"urlEnv": "URL"}}}
		}
		if file["rules"] == nil {
			file["rules"] = []any{}
			for name := range file["targets"].(map[string]any) {
				file["rules"] = append(file["rules"].([]any), map[string]any{"name": name, "target": name})
			}
		}
		content, err := yaml.Marshal(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := notify.Parse("docs/notify.md", content); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
	}
}
