package mkio

import (
	"fmt"
	"testing"

	"mkio-bridge/internal/lifecycle"
)

func TestProgressOfAJob(t *testing.T) {
	tests := map[string]struct {
		outputs string
		percent int
		output  string
		ok      bool
	}{
		"one output":             {`[{"label":"hd","assetName":"a","progress":40}]`, 40, "hd", true},
		"no label":               {`[{"label":null,"assetName":"a","progress":0}]`, 0, "a", true},
		"the least far":          {`[{"label":"hd","progress":80},{"label":"sd","progress":35},{"label":"x","progress":90}]`, 35, "sd", true},
		"one without a progress": {`[{"label":"hd"},{"label":"sd","progress":35}]`, 35, "sd", true},
		"a fraction":             {`[{"label":"hd","progress":99.9}]`, 99, "hd", true},
		"none":                   {`[{"label":"hd","progress":null}]`, 0, "", false},
		"no number":              {`[{"label":"hd","progress":"40"}]`, 0, "", false},
		"out of range":           {`[{"label":"hd","progress":101},{"label":"sd","progress":-1}]`, 0, "", false},
		"no outputs":             {`[]`, 0, "", false},
		"no list":                {`{"progress":40}`, 0, "", false},
	}
	for name, tt := range tests {
		v := value(fmt.Sprintf(`{"name":"ep","id":"transforms/t/jobs/ep","properties":{"state":"Processing","outputs":%s}}`, tt.outputs))
		row, ok := (&rowReader{}).listRow(jobList, v)
		if !ok {
			t.Fatalf("%s: not a row", name)
		}
		if percent, output, ok := row.Progress(); percent != tt.percent || output != tt.output || ok != tt.ok {
			t.Errorf("%s: %d %% of %q, %v; want %d %% of %q, %v", name, percent, output, ok, tt.percent, tt.output, tt.ok)
		}
	}
	locator := Row{Key: lifecycle.Key{Kind: lifecycle.StreamingLocator}, raw: value(`{"properties":{"outputs":[{"progress":40}]}}`)}
	if _, _, ok := locator.Progress(); ok {
		t.Error("a locator has a progress")
	}
}
