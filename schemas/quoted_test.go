package schemas_test

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"mkio-bridge/schemas"
)

// summaries describe the examples that the document quotes.
var summaries = map[string]string{
	"event-first":               "The first event of a job, from a webhook delivery.",
	"event-changed":             "The next event of the same job.",
	"event-provisioning-failed": "Provisioning failed, and the state is as before.",
	"event-deleted":             "A sweep did not list it, and a request for it got 404.",
	"unapplied-late":            "A delivery that is older than the recorded state.",
	"unapplied-malformed":       "A truncated body.",
	"coverage-covered":          "Every job of the project was compared with MK.IO.",
	"coverage-gap-opened":       "The next sweep failed.",
	"coverage-gap-closed":       "The next sweep was complete.",
	"progress":                  "A job that is almost halfway.",
	"notify-failed":             "The target refused the event for good.",
}

var quoted = regexp.MustCompile(`(?s)( +)# examples: ([a-z -]+)\n.*?# end of examples\n`)

// Between "# examples: NAME…" and "# end of examples" the document quotes the example files of those names.
func TestDocumentQuotesTheExamples(t *testing.T) {
	content, err := os.ReadFile(schemas.AsyncAPI)
	if err != nil {
		t.Fatal(err)
	}
	examples := readExamples(t)
	blocks := 0
	want := quoted.ReplaceAllStringFunc(string(content), func(block string) string {
		blocks++
		parts := quoted.FindStringSubmatch(block)
		indent, list := parts[1], parts[2]
		var b strings.Builder
		b.WriteString(indent + "# examples: " + list + "\n")
		for name := range strings.FieldsSeq(list) {
			e, ok := examples[name]
			if !ok || summaries[name] == "" {
				t.Fatalf("there is no example %s, or it has no summary", name)
			}
			for line := range strings.Lines(quote(t, name, e)) {
				b.WriteString(indent + line)
			}
		}
		return b.String() + indent + "# end of examples\n"
	})
	if blocks != 5 {
		t.Errorf("%d blocks of examples", blocks)
	}
	if *update {
		if err := os.WriteFile(schemas.AsyncAPI, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(content) {
		t.Errorf("the examples in %s are out of date: run go test ./schemas -update", schemas.AsyncAPI)
	}
}

// quote returns an example as YAML, as an item of a list. The members keep their order.
func quote(t *testing.T, name string, e example) string {
	t.Helper()
	var all, item yaml.Node
	if err := yaml.Unmarshal(e.encode(t), &all); err != nil {
		t.Fatal(err)
	}
	item.Kind = yaml.MappingNode
	add := func(key string, value *yaml.Node) {
		item.Content = append(item.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
	}
	add("name", &yaml.Node{Kind: yaml.ScalarNode, Value: name})
	add("summary", &yaml.Node{Kind: yaml.ScalarNode, Value: summaries[name]})
	message := all.Content[0]
	for i := 0; i < len(message.Content); i += 2 {
		if key := message.Content[i].Value; key != "subject" { // it is the channel's address
			add(key, message.Content[i+1])
		}
	}
	clearStyle(&item)
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode([]*yaml.Node{&item}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// clearStyle removes the JSON style of YAML nodes.
func clearStyle(n *yaml.Node) {
	empty := n.Kind != yaml.ScalarNode && len(n.Content) == 0
	if !empty {
		n.Style = 0
	}
	for _, child := range n.Content {
		clearStyle(child)
	}
}
