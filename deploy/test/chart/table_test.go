package chart

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "regenerate the table of the chart's README.md")

// A value is a settable value: a scalar, a list, or a map with user-defined keys.
type value struct{ path, fallback, comment string }

// values returns the values in values.yaml in order. Each has a comment above it that begins with "# --".
func values(t *testing.T) []value {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal(file(t, chartDir+"/values.yaml"), &doc); err != nil {
		t.Fatal(err)
	}
	return below(t, "", doc.Content[0])
}

func below(t *testing.T, prefix string, n *yaml.Node) (found []value) {
	t.Helper()
	for i := 0; i < len(n.Content); i += 2 {
		key, v := n.Content[i], n.Content[i+1]
		path := prefix + key.Value
		lines := strings.Split(key.HeadComment, "\n")
		comment, described := strings.CutPrefix(lines[len(lines)-1], "# -- ")
		if !described && v.Kind == yaml.MappingNode && len(v.Content) > 0 {
			found = append(found, below(t, path+".", v)...)
			continue
		}
		if !described {
			t.Errorf("%s has no comment in values.yaml that begins with --", path)
		}
		var fallback any
		if err := v.Decode(&fallback); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(fallback)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, value{path, string(text), comment})
	}
	return found
}

func TestTableOfValuesMatchesValuesYAML(t *testing.T) {
	const begin, end = "<!-- values -->\n", "<!-- /values -->"
	var table strings.Builder
	table.WriteString("| value | default | meaning |\n|---|---|---|\n")
	for _, v := range values(t) {
		fmt.Fprintf(&table, "| `%s` | `%s` | %s |\n", v.path, v.fallback, strings.ReplaceAll(v.comment, "|", `\|`))
	}
	path := chartDir + "/README.md"
	text := string(file(t, path))
	before, rest, ok := strings.Cut(text, begin)
	is, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("the chart's README.md has no section %s…%s", begin, end)
	}
	if is == table.String() {
		return
	}
	if !*update {
		t.Fatal("the table of the chart's README.md differs from values.yaml: run go test ./chart -run Table -update in deploy/test")
	}
	if err := os.WriteFile(path, []byte(before+begin+table.String()+end+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A value missing in the schema could not be set; a value only in the schema would have no effect.
func TestSchemaMatchesValues(t *testing.T) {
	var schema map[string]any
	decoder := json.NewDecoder(bytes.NewReader(file(t, chartDir+"/values.schema.json")))
	if err := decoder.Decode(&schema); err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	unmarshal(t, file(t, chartDir+"/values.yaml"), &doc)
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range []string{"global", "enabled"} { // set by parent charts
		delete(properties, name)
	}
	same(t, schema, "", schema, doc)
}

func same(t *testing.T, schema map[string]any, path string, at map[string]any, doc map[string]any) {
	t.Helper()
	if name, ok := at["$ref"].(string); ok {
		definitions, _ := schema["$defs"].(map[string]any)
		at, _ = definitions[strings.TrimPrefix(name, "#/$defs/")].(map[string]any)
	}
	properties, ok := at["properties"].(map[string]any)
	if !ok { // a map with user-defined keys
		return
	}
	if at["additionalProperties"] != false {
		t.Errorf("the schema allows unknown keys in %q", path)
	}
	for key, v := range doc {
		property, ok := properties[key].(map[string]any)
		if !ok {
			t.Errorf("the schema lacks %s%s", path, key)
			continue
		}
		if inner, ok := v.(map[string]any); ok {
			same(t, schema, path+key+".", property, inner)
		}
	}
	for key := range properties {
		if _, ok := doc[key]; !ok && !strings.Contains(path, "Probe.") && !strings.HasSuffix(path, "resources.") { // defined by Kubernetes
			t.Errorf("values.yaml lacks %s%s", path, key)
		}
	}
}
