package mkio

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"mkio-bridge/internal/lifecycle"
)

var jobList = Lists("aurora-vod", []lifecycle.Kind{lifecycle.Job})[0]

// A rowReader reuses memory from row to row; a row must not show values of the one before.
func TestRowReaderReuseLeaksNothing(t *testing.T) {
	rows := []string{
		`{}`, `{"name":7}`, `{"name":"a"}`, `{"name":"a","id":"/transforms/t/jobs/a"}`, `{"name":"a","id":"/transforms/t/jobs/a","properties":[]}`,
		`{"name":"a","id":"/transforms/u/jobs/a","properties":{"state":"Queued"}}`, `{"name":"a","id":"/transforms/t/jobs/a","properties":{"state":7}}`,
		`{"metadata":{"name":"m"},"kind":"LiveEvent","status":{"state":""}}`, `{"name":"a","kind":"Other"}`, `{"name":"a/b","kind":"LiveEvent"}`,
	}
	for _, row := range readAll(t, "records/*.json") {
		rows = append(rows, string(row))
	}
	for _, l := range Lists("aurora-vod", lifecycle.Kinds()) {
		var together rowReader
		for i := range len(rows) * len(rows) { // each pair of rows
			for _, row := range []string{rows[i/len(rows)], rows[i%len(rows)]} {
				v, err := parse([]byte(row))
				if err != nil {
					t.Fatal(err)
				}
				got, gotOK := together.listRow(l, v)
				want, wantOK := (&rowReader{}).listRow(l, v)
				if gotOK != wantOK || !reflect.DeepEqual(got, want) {
					t.Fatalf("%s: %s\nread as %+v, %v\nalone as %+v, %v", l, row, got, gotOK, want, wantOK)
				}
			}
		}
	}
}

func TestTransformOfJob(t *testing.T) {
	tests := map[string]string{
		"/subscriptions/s/providers/Microsoft.Media/transforms/ladder/jobs/ep": "ladder",
		"transforms/ladder/jobs/ep":                 "ladder",
		"/Transforms/ladder/JOBS/ep":                "ladder",
		"/transforms/ladder%20hd/jobs/ep":           "ladder%20hd", // the job is not encoded, so neither is this
		"/transforms/ladder%20hd/jobs/%65p":         "ladder hd",
		"/transforms/ladder%2/jobs/%65p":            "ladder%2",
		"/transforms/a/jobs/b/transforms/c/jobs/ep": "c",
		"/transforms/a/jobs/ep/state":               "a",
		"/transforms/transforms/jobs/jobs":          "transforms",
		"/transforms/ladder/jobs":                   "",
		"/transforms//jobs/ep":                      "",
		"transforms/ladder":                         "",
		"":                                          "",
		"/providers/Microsoft.Media/mediaservices/aurora-vod/jobs/ep": "",
	}
	for id, want := range tests {
		row, ok := (&rowReader{}).listRow(jobList, value(fmt.Sprintf(`{"name":"ep","id":%q}`, id)))
		if ok != (want != "") || ok && row.Key.Names()[0] != want {
			t.Errorf("%s: %s, %v, want %q", id, row.Key, ok, want)
		}
	}
}

// A sweep reads every row of a list, and most rows are unchanged: they must be cheap.
func TestListRowAllocations(t *testing.T) {
	const limit = 5 // transform, name, life, state and provisioning
	v, err := parse(readFile(t, "records/job.finished.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r rowReader
	read := func() {
		if row, ok := r.listRow(jobList, v); !ok || row.State != "Finished" {
			t.Fatal(row, ok)
		}
	}
	if got := testing.AllocsPerRun(100, read); got > limit {
		t.Errorf("%v allocations, want at most %d", got, limit)
	}
}

// A row without an API path identifies no resource.
func TestHasPathAgreesWithPath(t *testing.T) {
	for _, name := range []string{"a", "a b", "ä", ".", "..", "a/b", "a\xff", strings.Repeat("x", maxText+1)} {
		for _, names := range [][]string{{"t", name}, {name, "j"}} {
			key, err := lifecycle.NewKey(lifecycle.Job, "aurora-vod", names...)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, ok := Path(key); ok != hasPath(key) {
				t.Errorf("%s: Path %v, hasPath %v", key, ok, !ok)
			}
		}
	}
	for _, parent := range []string{string(lifecycle.LiveChannel), string(lifecycle.Job)} {
		key, err := lifecycle.NewKey(lifecycle.ScheduledOperation, "harbor-live", parent, "news", "window")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, ok := Path(key); ok != hasPath(key) {
			t.Errorf("%s: Path %v, hasPath %v", key, ok, !ok)
		}
	}
}
