package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

const amsPage = "../../docs/from-azure-media-services.md"

// The page is a promise to those who migrate: each Event Grid type occurs once, and what it names of this project exists.
func TestAzurePage(t *testing.T) {
	page := string(readFile(t, amsPage))
	types := amsTypes(page)
	if slices.Sort(types); len(types) != 25 || len(slices.Compact(slices.Clone(types))) != 25 {
		t.Errorf("%d Event Grid types, want 25 different ones: %q", len(types), types)
	}
	for _, name := range regexp.MustCompile(`MediaKind\.\w+`).FindAllString(page, -1) {
		if !slices.Contains(mkio.Types(), name) {
			t.Errorf("MK.IO documents no webhook of type %s", name)
		}
	}
	for _, m := range regexp.MustCompile(`mkio\.([a-z-]+)\.state\.(\w+)`).FindAllStringSubmatch(page, -1) {
		if !slices.Contains(lifecycle.Kinds(), lifecycle.Kind(m[1])) || m[2] != "changed" && m[2] != "discovered" {
			t.Errorf("no event has the type %s", m[0])
		}
	}
	fields := exampleFields(t)
	for _, m := range regexp.MustCompile("`(data\\.[^` ]+)`").FindAllStringSubmatch(page, -1) {
		if !fields[m[1]] {
			t.Errorf("no example of an event has the field %s", m[1])
		}
	}
	checkJobRows(t, page)
	checkKinds(t, page)
}

// amsTypes returns the Event Grid types in the first column of the page's tables.
func amsTypes(page string) (types []string) {
	for _, row := range tableRows(page) {
		if strings.HasPrefix(row.heading, "Event Grid type") {
			types = append(types, strings.Trim(row.cells[0], "`"))
		}
	}
	return types
}

// checkJobRows checks that a kind has the states given for an Event Grid type, and that those with a webhook have one.
func checkJobRows(t *testing.T, page string) {
	t.Helper()
	rows := 0
	for _, row := range tableRows(page) {
		if len(row.cells) != 4 || !strings.HasPrefix(row.heading, "Event Grid type") || !strings.HasPrefix(row.cells[2], "`") {
			continue
		}
		rows++
		kind, state := lifecycle.Kind(strings.Trim(row.cells[1], "`")), strings.Trim(row.cells[2], "`")
		if !hasState(kind, state) {
			t.Errorf("%s: %s has no state %s", row.cells[0], kind, state)
		}
		seen := lifecycle.Observation{Key: lifecycle.Key{Kind: kind}, State: state}
		if documented := strings.HasPrefix(row.cells[3], "`MediaKind."); documented != lifecycle.SendsWebhook(nil, seen) {
			t.Errorf("%s: the page says that MK.IO sends a webhook: %t", row.cells[0], documented)
		}
	}
	if rows != 6 {
		t.Errorf("%d Event Grid types have a state, want 6", rows)
	}
	for _, m := range regexp.MustCompile("`([a-z-]+)` `([A-Z]\\w+)`").FindAllStringSubmatch(page, -1) {
		if !hasState(lifecycle.Kind(m[1]), m[2]) {
			t.Errorf("%s has no state %s", m[1], m[2])
		}
	}
}

func hasState(kind lifecycle.Kind, state string) bool {
	return slices.ContainsFunc(lifecycle.States(kind), func(s lifecycle.StateInfo) bool { return s.State == state })
}

// checkKinds checks the kinds of the resources that AMS had no events for.
func checkKinds(t *testing.T, page string) {
	t.Helper()
	found := 0
	for _, row := range tableRows(page) {
		if row.heading != "resource" {
			continue
		}
		for _, m := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(row.cells[1], -1) {
			found++
			if !slices.Contains(lifecycle.Kinds(), lifecycle.Kind(m[1])) {
				t.Errorf("there is no kind %s", m[1])
			}
		}
	}
	if found == 0 {
		t.Error("the page names no kinds that AMS had no events for")
	}
}

// exampleFields returns the paths of all fields of the published example events, such as data.errors[].code.
func exampleFields(t *testing.T) map[string]bool {
	t.Helper()
	fields := map[string]bool{}
	files, err := filepath.Glob("../../schemas/examples/event-*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d example events: %v", len(files), err)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var example struct{ Payload map[string]any }
		if err := json.Unmarshal(content, &example); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		addFields(fields, "", example.Payload)
	}
	return fields
}

func addFields(fields map[string]bool, path string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			child := strings.TrimPrefix(path+"."+name, ".")
			fields[child] = true
			addFields(fields, child, member)
		}
	case []any:
		fields[path+"[]"] = true
		for _, item := range value {
			addFields(fields, path+"[]", item)
		}
	}
}
