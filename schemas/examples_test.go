package schemas_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mkio-bridge/internal/schematest"
)

var update = flag.Bool("update", false, "rewrite the examples, and add new schemas to the published ones")

const examplesDir = "examples"

// An example is one message as the bridge writes it, except for the payload's whitespace.
type example struct {
	Subject string            `json:"subject"`
	Headers map[string]string `json:"headers,omitempty"`
	Payload json.RawMessage   `json:"payload"` // a string if the body is not JSON
}

// exampleOf returns a message as an example, without the server's headers.
func exampleOf(t *testing.T, subject string, header map[string][]string, payload []byte) example {
	t.Helper()
	e := example{Subject: subject, Payload: payload}
	for name, values := range header {
		if strings.HasPrefix(name, "Nats-") {
			continue
		}
		if e.Headers == nil {
			e.Headers = map[string]string{}
		}
		e.Headers[name] = values[0]
	}
	if !json.Valid(payload) {
		var err error
		if e.Payload, err = json.Marshal(string(payload)); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func (e example) encode(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(e); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// header returns the headers as a message has them.
func (e example) header() map[string][]string {
	h := map[string][]string{}
	for name, value := range e.Headers {
		h[name] = []string{value}
	}
	return h
}

func TestExamplesAreWhatTheBridgeWrites(t *testing.T) {
	made := writtenExamples(t)
	for name, e := range made {
		file := filepath.Join(examplesDir, name+".json")
		want := e.encode(t)
		if *update {
			if err := os.WriteFile(file, want, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if is, err := os.ReadFile(file); err != nil || !bytes.Equal(is, want) {
			t.Errorf("%s is not what the bridge writes (%v): run go test ./schemas -update\n%s", file, err, want)
		}
	}
	for name := range readExamples(t) {
		if _, ok := made[name]; !ok {
			t.Errorf("no code writes the example %s", name)
		}
	}
}

func TestExamplesFollowTheirSchemas(t *testing.T) {
	seen := map[string]bool{}
	for name, e := range readExamples(t) {
		t.Run(name, func(t *testing.T) {
			what, _, _ := strings.Cut(name, "-")
			seen[what] = true
			switch what {
			case "event":
				schematest.Event(t, e.Payload)
				schematest.EventHeaders(t, e.header())
			case "unapplied":
				schematest.Unapplied(t, e.header())
			case "coverage":
				schematest.Coverage(t, e.Payload)
			case "progress":
				schematest.Progress(t, e.Payload)
			case "notify":
				schematest.Event(t, e.Payload)
				headers := in(asyncAPI(t), "components", "messages", "deadLetter", "headers")
				same(t, "headers of a dead letter", slices.Collect(maps.Keys(e.Headers)), slices.Collect(maps.Keys(in(headers, "properties"))))
			default:
				t.Errorf("there is no schema for %s", what)
			}
		})
	}
	if len(seen) != 5 {
		t.Errorf("there are examples of %v only", seen)
	}
}

// readExamples reads the example files, by their names.
func readExamples(t *testing.T) map[string]example {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(examplesDir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	slices.Sort(files)
	examples := map[string]example{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var e example
		if err := json.Unmarshal(content, &e); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		examples[strings.TrimSuffix(filepath.Base(file), ".json")] = e
	}
	return examples
}
