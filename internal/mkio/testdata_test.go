package mkio

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// received is the time of receipt of the tests' deliveries.
var received = time.Date(2031, 3, 4, 10, 20, 0, 0, time.UTC)

// readFile returns a file below testdata.
func readFile(tb testing.TB, name string) []byte {
	tb.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

// readAll returns every JSON file that matches a pattern below testdata, by name.
func readAll(tb testing.TB, patterns ...string) map[string][]byte {
	tb.Helper()
	files := map[string][]byte{}
	for _, pattern := range patterns {
		names, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil || len(names) == 0 {
			tb.Fatalf("no files match %s: %v", pattern, err)
		}
		for _, name := range names {
			rel, err := filepath.Rel("testdata", name)
			if err != nil {
				tb.Fatal(err)
			}
			files[rel] = readFile(tb, rel)
		}
	}
	return files
}

// members is a JSON object made by a test.
type members = map[string]any

// rawNull is a member that is null; nil omits a member.
var rawNull = json.RawMessage("null")

// jobDelivery returns a delivery of a finished job with some attributes replaced, or omitted where nil. Names of data's
// members begin with "data.".
func jobDelivery(tb testing.TB, changes members) []byte {
	tb.Helper()
	data := members{"projectName": "aurora-vod", "state": "Finished"}
	top := members{
		"specversion": "1.0", "id": "d-1", "type": "MediaKind.JobFinished",
		"source": "/api/v1/projects/aurora-vod/transforms/ladder-hd/jobs/ep-0417",
	}
	for name, value := range changes {
		in := top
		if rest, ok := strings.CutPrefix(name, "data."); ok {
			in, name = data, rest
		}
		in[name] = value
		if value == nil {
			delete(in, name)
		}
	}
	if _, ok := top["data"]; !ok {
		top["data"] = data
	}
	return encode(tb, top)
}

func encode(tb testing.TB, v any) []byte {
	tb.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return body
}
