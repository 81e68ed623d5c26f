//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/lifecycle"
)

// Programs that generate types take the event schema as `mkio-bridge schema` prints it. The generated TypeScript compiles, and
// accepts the events in schemas/examples.
func TestTypesFromTheEventSchema(t *testing.T) {
	t.Parallel()
	needs(t, "node")
	node := find(t, "node", "node")
	dir := npmInstall(t, "test/e2e/testdata/schema-types", "tsconfig.json")
	schema, stderr, code := bridgetest.Run(t, nil, "schema", "event")
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("event.schema.json", schema)
	tool := func(name string, args ...string) string {
		t.Helper()
		return runIn(t, dir, filepath.Join(dir, "node_modules", ".bin", name), args...)
	}
	tool("json2ts", "event.schema.json", "json2ts.ts")
	tool("quicktype", "--src-lang", "schema", "--lang", "typescript", "--top-level", "MkioBridgeEvent", "--out", "quicktype.ts", "event.schema.json")
	for _, generated := range []string{"json2ts.ts", "quicktype.ts"} {
		content, err := os.ReadFile(filepath.Join(dir, generated))
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range lifecycle.Kinds() {
			if !strings.Contains(string(content), fmt.Sprintf("%q", kind)) {
				t.Errorf("%s lacks the kind %s", generated, kind)
			}
		}
	}
	write("use.ts", programWithTypes(t))
	tool("tsc", "--project", ".")
	if out := runIn(t, dir, node, "compiled/use.js"); out != "done\n" {
		t.Errorf("output %q", out)
	}
}

// programWithTypes returns a TypeScript program with each example of an event. json2ts types the literals, and the code of
// quicktype checks them when the program runs. An unknown kind or member does not compile.
func programWithTypes(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(`import type { MkioBridgeEvent } from "./json2ts.js";
import { Convert } from "./quicktype.js";
declare const console: { log(line: string): void };
const events: MkioBridgeEvent[] = [];
`)
	files, err := filepath.Glob(bridgetest.RepositoryPath("schemas/examples/event-*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var example struct{ Payload json.RawMessage }
		if err := json.Unmarshal(content, &example); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "events.push(%s);\n", example.Payload)
	}
	b.WriteString(`export function doesNotCompile(event: MkioBridgeEvent) {
  // @ts-expect-error
  event.data.kind = "cassette";
  // @ts-expect-error
  event.data.more = true;
  // @ts-expect-error
  event.more = true;
}
for (const event of events) {
  const converted = Convert.toMkioBridgeEvent(JSON.stringify(event));
  if (converted.data.kind !== event.data.kind || converted.time.getTime() !== Date.parse(event.time)) throw new Error(event.id);
}
console.log("done");
`)
	return b.String()
}
