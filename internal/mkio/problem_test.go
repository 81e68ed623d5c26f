package mkio

import (
	"bytes"
	"slices"
	"testing"

	"mkio-bridge/internal/lifecycle"
)

// An error of a job's output has all that MK.IO says of it, and the output's name.
func TestProblemsOfAJobOutput(t *testing.T) {
	record := recordOf(readFile(t, "records/job.error.json"))
	want := []lifecycle.Problem{{
		Code: "ContentUnsupported", Message: "The input holds no decodable video track.", Category: "Content", Retry: "DoNotRetry",
		Output: "BuiltInStandardEncoderPreset_0",
	}}
	if got := record.problems(); !slices.Equal(got, want) {
		t.Errorf("problems %+v, want %+v", got, want)
	}
}

// An output without a label goes by its asset. Members of an unexpected type are omitted, the others remain.
func TestProblemsOfOutputsWithMissingMembers(t *testing.T) {
	record := recordOf(value(`{"properties":{"outputs":[
		{"label":"","assetName":"ep-0418-out","error":{"code":"ServiceError","retry":"MayRetry"}},
		{"label":"audio","error":{"message":"no track","category":7,"retry":["DoNotRetry"]}},
		{"label":"text","error":"the track is empty"},
		{"error":{"category":"Upload"}},
		{"label":"good","error":null}, {"label":"good","error":{}}, {"label":"good","error":{"retry":"MayRetry"}}]}}`))
	want := []lifecycle.Problem{
		{Code: "ServiceError", Retry: "MayRetry", Output: "ep-0418-out"},
		{Message: "no track", Output: "audio"},
		{Message: "the track is empty", Output: "text"},
		{Category: "Upload"},
	}
	if got := record.problems(); !slices.Equal(got, want) {
		t.Errorf("problems %+v, want %+v", got, want)
	}
}

// The details of a recording are an error text. A recording in state Error without details is an error all the same.
func TestProblemsOfARecording(t *testing.T) {
	raw := readFile(t, "records/job.recording.json")
	with := func(state, details string) []lifecycle.Problem {
		changed := bytes.Replace(raw, []byte(`"state": "InProgress",`), []byte(`"state": "`+state+`",`), 1)
		record := recordOf(bytes.Replace(changed, []byte(`"details": ""`), []byte(`"details": `+details), 1))
		return record.problems()
	}
	for name, c := range map[string]struct {
		state, details string
		want           []lifecycle.Problem
	}{
		"under way":     {"InProgress", `""`, nil},
		"null details":  {"Waiting", `null`, nil},
		"failed":        {"Error", `"The live event stopped, see https://host/hunter2"`, []lifecycle.Problem{{Message: "recording: The live event stopped, see https://host/[redacted]"}}},
		"no details":    {"error", `null`, []lifecycle.Problem{{Message: "recording: error"}}},
		"early warning": {"InProgress", `"No signal."`, []lifecycle.Problem{{Message: "recording: No signal."}}},
	} {
		if got := with(c.state, c.details); !slices.Equal(got, c.want) {
			t.Errorf("%s: problems %+v, want %+v", name, got, c.want)
		}
	}
}
