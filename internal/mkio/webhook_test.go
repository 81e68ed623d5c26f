package mkio

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
)

const (
	life0417 = "d15760bb-b323-501d-a685-3af1c869481c"
	life0418 = "0e68fc12-ac84-59d3-8611-8690a85aa940"
	life0419 = "ec63383c-f875-5456-a059-d58e9d3d1c62"
	lifeNews = "6bb182ec-072c-59ab-b62e-92c8abdeddee"
	lifeKick = "163af1ca-e71a-5ab0-a12b-78387e158e01"
)

func TestFixturesDecode(t *testing.T) {
	const (
		job0417 = "job aurora-vod/ladder-hd/ep-0417"
		job0418 = "job aurora-vod/ladder-hd/ep-0418"
		job0419 = "job aurora-vod/ladder-hd/ep-0419"
		news    = "live-channel harbor-live/news-247"
		kickoff = "scheduled-operation harbor-live/live-api-event/cup-final/kickoff-window"
	)
	tests := map[string]struct{ key, state, life, at, modified, provisioning, problem string }{
		"job-started.json":                              {key: job0417, state: "Processing", life: life0417, at: "2031-03-04T10:05:44.731204Z", modified: "2031-03-04T10:05:44.6Z"},
		"job-finished.finished.json":                    {key: job0417, state: "Finished", life: life0417, at: "2031-03-04T10:19:36.900102Z", modified: "2031-03-04T10:19:36.395374Z"},
		"job-finished.error.json":                       {key: job0418, state: "Error", life: life0418, at: "2031-03-04T12:01:11.611Z", modified: "2031-03-04T12:01:11.222333Z", problem: "ContentUnsupported: The input holds no decodable video track."},
		"job-finished.canceled.json":                    {key: job0419, state: "Canceled", life: life0419, at: "2031-03-04T13:02:04.911Z", modified: "2031-03-04T13:02:04.6007Z"},
		"streaming-locator-created.json":                {key: "streaming-locator aurora-vod/ep-0417-pub", state: "Created", life: "10a88ba7-b82c-5864-8a35-e2226eac03c8", at: "2031-03-04T10:21:02.3Z", modified: "2031-03-04T10:21:02.1Z", provisioning: "Succeeded"},
		"streaming-locator-created.drm-keys.json":       {key: "streaming-locator aurora-vod/ep-0417-drm", state: "Created", life: "837109f9-1503-5c38-b298-89e23982bcd1", at: "2031-03-04T10:25:03.3Z", modified: "2031-03-04T10:25:03.1Z", provisioning: "Succeeded"},
		"channel-instance-started.assumed-shape.json":   {key: news, state: "Running", life: lifeNews, at: "2031-05-19T23:59:58.8Z", modified: "2031-05-19T23:59:58.123456Z"},
		"channel-instance-stopped.assumed-shape.json":   {key: news, state: "Stopped", life: lifeNews, at: "2031-05-21T00:10:03.1Z", modified: "2031-05-21T00:10:02.9Z"},
		"channel-instance-error.assumed-shape.json":     {key: "live-api-event harbor-live/cup-plate", state: "UnableToStart", life: "ad476745-1b06-51e1-a1ea-62181e2fb05d", at: "2031-05-20T17:49:58.5Z", modified: "2031-05-20T17:49:58.010203Z", problem: ": The template input does not match the configured inputs."},
		"scheduled-operation-accepted.json":             {key: kickoff, state: "Accepted", life: lifeKick, at: "2031-05-18T12:05:00.2Z"},
		"scheduled-operation-ongoing.json":              {key: kickoff, state: "Ongoing", life: lifeKick, at: "2031-05-20T17:45:00.31Z"},
		"scheduled-operation-completed.json":            {key: kickoff, state: "Completed", life: lifeKick, at: "2031-05-20T20:15:08.05Z"},
		"scheduled-operation-error.assumed-states.json": {key: "scheduled-operation harbor-live/live-api-event/cup-plate/plate-window", state: "Errored", life: "839e30f2-57a7-55ff-a49e-34f50a16d23a", at: "2031-05-20T17:50:00.05Z", problem: ": The live event could not be started."},
		"tolerance/canceled-before-processing.json":     {key: job0419, state: "Canceled", life: life0419, at: "2031-03-04T13:02:04.911Z", modified: "2031-03-04T13:02:04.6007Z"},
		"tolerance/envelope-and-resource-disagree.json": {key: job0417, state: "Finished", life: life0417, at: "2031-03-04T10:19:36.900102Z"},
		"tolerance/source-absolute-url.json":            {key: job0417, state: "Finished", life: life0417, at: "2031-03-04T10:19:36.900102Z", modified: "2031-03-04T10:19:36.395374Z"},
		"tolerance/source-with-media-segment.json":      {key: job0417, state: "Finished", life: life0417, at: "2031-03-04T10:19:36.900102Z", modified: "2031-03-04T10:19:36.395374Z"},
		"tolerance/unlisted-type-job-errored.json":      {key: job0418, state: "Error", life: life0418, at: "2031-03-04T12:01:11.611Z", modified: "2031-03-04T12:01:11.222333Z", problem: "ContentUnsupported: The input holds no decodable video track."},
	}
	files := readAll(t, "webhooks/*.json", "webhooks/tolerance/*.json")
	if len(files) != len(tests) {
		t.Errorf("%d fixtures, %d tests", len(files), len(tests))
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			o, err := Decoder{}.Decode(files["webhooks/"+name], received)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "key", o.Key.String(), want.key)
			equal(t, "state", o.State, want.state)
			equal(t, "life", o.Life, want.life)
			equal(t, "at", stamp(o.At), want.at)
			equal(t, "modified", stamp(o.Modified), want.modified)
			equal(t, "provisioning", o.Provisioning, want.provisioning)
			equal(t, "via", string(o.Via), "webhook")
			if o.Resource == nil || o.ReportedPrevious == nil || !o.Delivery.Received.Equal(received) {
				t.Error("resource, previous state or time of receipt is missing")
			}
			var problem string
			for _, p := range o.Problems {
				problem = p.Code + ": " + p.Message
			}
			equal(t, "problem", problem, want.problem)
		})
	}
}

func TestObservationOfAFinishedJob(t *testing.T) {
	o, err := Decoder{Projects: []string{"aurora-vod"}}.Decode(readFile(t, "webhooks/job-finished.finished.json"), received)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "source", o.Source, "/api/v1/projects/aurora-vod/media/transforms/ladder-hd/jobs/ep-0417")
	equal(t, "subject", o.Subject, "transforms/ladder-hd/jobs/ep-0417")
	equal(t, "correlation", string(o.Correlation), `{"houseId":"LH-0417"}`)
	equal(t, "previous", *o.ReportedPrevious, "Processing")
	equal(t, "created", stamp(o.Created), "2031-03-04T10:05:12.351891Z")
	equal(t, "delivery", o.Delivery.ID+" "+o.Delivery.Type, "fcaab4a4-433f-591d-baeb-a98c8b9d503a "+TypeJobFinished)
	if o.Basis != nil || !o.SeenBefore.IsZero() || !o.SeenAfter.IsZero() {
		t.Error("a delivery has neither basis nor window")
	}
}

func TestDecodeToleratesDeviations(t *testing.T) {
	record := members{"properties": members{"state": "Error", "lastModified": "2031-03-04T10:00:00Z"}}
	tests := map[string]struct {
		changes members
		check   func(lifecycle.Observation) bool
	}{
		"no time":                  {members{}, func(o lifecycle.Observation) bool { return o.At.IsZero() && o.Delivery.Time.IsZero() }},
		"null time":                {members{"time": rawNull}, func(o lifecycle.Observation) bool { return o.At.IsZero() }},
		"offset and long fraction": {members{"time": "2031-03-04T12:00:00.123456789012+02:00"}, func(o lifecycle.Observation) bool { return stamp(o.At) == "2031-03-04T10:00:00.123456789Z" }},
		"lower-case time":          {members{"time": "2031-03-04t10:00:00z"}, func(o lifecycle.Observation) bool { return stamp(o.At) == "2031-03-04T10:00:00Z" }},
		"no project in data":       {members{"data.projectName": nil}, func(o lifecycle.Observation) bool { return o.Key.Project == "aurora-vod" }},
		"project in other case":    {members{"data.projectName": "AURORA-VOD"}, func(o lifecycle.Observation) bool { return o.Key.Project == "aurora-vod" }},
		"no record": {members{}, func(o lifecycle.Observation) bool {
			return o.Resource == nil && o.Life == "" && o.ReportedPrevious == nil
		}},
		"null record":              {members{"data.resource": rawNull}, func(o lifecycle.Observation) bool { return o.Resource == nil }},
		"record that is a text":    {members{"data.resource": "gone"}, func(o lifecycle.Observation) bool { return o.Resource == nil }},
		"extensions":               {members{"traceparent": "00-1", "subject": 5, "data.more": members{}}, hasState("Finished")},
		"version 1.0.2":            {members{"specversion": "1.0.2"}, hasState("Finished")},
		"unknown type":             {members{"type": "MediaKind.JobSang"}, hasState("Finished")},
		"type of another kind":     {members{"type": TypeChannelInstanceError}, hasState("Finished")},
		"unknown state":            {members{"data.state": "Pondering"}, hasState("Pondering")},
		"empty state":              {members{"data.state": ""}, hasState("")},
		"empty previous state":     {members{"data.previousState": ""}, func(o lifecycle.Observation) bool { return o.ReportedPrevious != nil && *o.ReportedPrevious == "" }},
		"state from the record":    {members{"data.state": nil, "data.resource": record}, func(o lifecycle.Observation) bool { return o.State == "Error" && !o.Modified.IsZero() }},
		"record in other case":     {members{"data.state": "error", "data.resource": record}, func(o lifecycle.Observation) bool { return o.State == "error" && !o.Modified.IsZero() }},
		"record of another state":  {members{"data.resource": record}, func(o lifecycle.Observation) bool { return o.Modified.IsZero() }},
		"attributes by exact name": {members{"ID": "other", "data.State": "Error"}, func(o lifecycle.Observation) bool { return o.Delivery.ID == "d-1" && o.State == "Finished" }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o, err := Decoder{}.Decode(jobDelivery(t, test.changes), received)
			if err != nil {
				t.Fatal(err)
			}
			if !test.check(o) {
				t.Errorf("got %+v", o)
			}
		})
	}
}

func TestLastOfDuplicateAttributesWins(t *testing.T) {
	body := strings.Replace(string(jobDelivery(t, nil)), `"state":"Finished"`, `"state":"Error","state":"Finished"`, 1)
	o, err := Decoder{}.Decode([]byte(body), received)
	if err != nil || o.State != "Finished" {
		t.Errorf("state %q, %v", o.State, err)
	}
}

func TestDecodeRejects(t *testing.T) {
	long := strings.Repeat("x", maxText+1)
	tests := map[string]struct {
		body   []byte
		reason lifecycle.Reason
		detail string
	}{
		"no JSON":                   {[]byte("<html>"), lifecycle.ReasonMalformed, "not JSON"},
		"nothing":                   {nil, lifecycle.ReasonMalformed, "not JSON"},
		"not UTF-8":                 {[]byte("{\"id\":\"\xff\"}"), lifecycle.ReasonMalformed, "UTF-8"},
		"null":                      {[]byte("null"), lifecycle.ReasonMalformed, "object"},
		"two values":                {[]byte("{} {}"), lifecycle.ReasonMalformed, "not JSON"},
		"deep":                      {[]byte(strings.Repeat("[", 20000) + strings.Repeat("]", 20000)), lifecycle.ReasonMalformed, "depth"},
		"binary data":               {[]byte(`{"data_base64":5,"specversion":"1.0"}`), lifecycle.ReasonMalformed, `"data"`},
		"null data":                 {jobDelivery(t, members{"data": rawNull}), lifecycle.ReasonMalformed, `"data"`},
		"data a list":               {jobDelivery(t, members{"data": []int{1}}), lifecycle.ReasonMalformed, `"data"`},
		"no version":                {jobDelivery(t, members{"specversion": nil}), lifecycle.ReasonMalformed, "specversion"},
		"version 0.3":               {jobDelivery(t, members{"specversion": "0.3"}), lifecycle.ReasonMalformed, "specversion"},
		"version 1.01":              {jobDelivery(t, members{"specversion": "1.01"}), lifecycle.ReasonMalformed, "specversion"},
		"version a number":          {jobDelivery(t, members{"specversion": 1.0}), lifecycle.ReasonMalformed, "specversion"},
		"no type":                   {jobDelivery(t, members{"type": nil}), lifecycle.ReasonMalformed, `"type"`},
		"long type":                 {jobDelivery(t, members{"type": typePrefix + long}), lifecycle.ReasonMalformed, `"type"`},
		"no source":                 {jobDelivery(t, members{"source": nil}), lifecycle.ReasonMalformed, `"source"`},
		"empty source":              {jobDelivery(t, members{"source": ""}), lifecycle.ReasonMalformed, `"source"`},
		"no state":                  {jobDelivery(t, members{"data.state": nil}), lifecycle.ReasonMalformed, `"state"`},
		"state a number":            {jobDelivery(t, members{"data.state": 7}), lifecycle.ReasonMalformed, `"state"`},
		"long state":                {jobDelivery(t, members{"data.state": long}), lifecycle.ReasonMalformed, `"state"`},
		"state of an asset unknown": {jobDelivery(t, members{"source": "/api/v1/projects/aurora-vod/media/assets/a", "data.state": nil, "data.resource": members{"properties": members{"state": "Ready"}}}), lifecycle.ReasonMalformed, `"state"`},
		"type of another sender":    {jobDelivery(t, members{"type": "com.example.JobFinished"}), lifecycle.ReasonUnrecognised, `"type"`},
		"type in other case":        {jobDelivery(t, members{"type": "mediakind.JobFinished"}), lifecycle.ReasonUnrecognised, `"type"`},
		"project not configured":    {jobDelivery(t, members{"source": "/api/v1/projects/other/transforms/t/jobs/j", "data.projectName": "other"}), lifecycle.ReasonUnrecognised, "not configured"},
		"project in other case":     {jobDelivery(t, members{"source": "/api/v1/projects/Aurora-VOD/transforms/t/jobs/j"}), lifecycle.ReasonUnrecognised, "not configured"},
		"projects differ":           {jobDelivery(t, members{"data.projectName": "other"}), lifecycle.ReasonUnrecognised, "the data of"},
	}
	d := Decoder{Projects: []string{"aurora-vod"}}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := d.Decode(test.body, received)
			wantRejection(t, err, test.reason, test.detail)
		})
	}
}

func TestRejectionsAreShortAndRedacted(t *testing.T) {
	source := "https://user:hunter2@host/api/v1/projects/p/nothing?token=hunter2" + strings.Repeat("y", 5000)
	for name, body := range map[string][]byte{
		"source":  jobDelivery(t, members{"source": source, "data.projectName": nil}),
		"segment": jobDelivery(t, members{"source": "/api/v1/projects/p/assets/" + strings.Repeat("y", 5000), "data.projectName": nil}),
		"type":    jobDelivery(t, members{"type": "x?token=hunter2"}),
		"version": jobDelivery(t, members{"specversion": "password: hunter2"}),
		"project": jobDelivery(t, members{"data.projectName": "hunter2@mail.example"}),
	} {
		_, err := Decoder{}.Decode(body, received)
		if err == nil || len(err.Error()) > 512 || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSplitBatch(t *testing.T) {
	tests := map[string]struct {
		body   string
		items  int
		detail string
	}{
		"one":         {" {\"a\":1}\n", 1, ""},
		"no delivery": {"5", 1, ""}, // Decode rejects it
		"a batch":     {` [{"a":1}, {"b":2} ]`, 2, ""},
		"full":        {"[1" + strings.Repeat(",1", maxBatch-1) + "]", maxBatch, ""},
		"too long":    {"[1" + strings.Repeat(",1", maxBatch) + "]", 0, "more than 1000"},
		"empty":       {"[ ]", 0, "empty"},
		"nothing":     {"", 0, "not JSON"},
		"cut short":   {`[{"a":1}`, 0, "not JSON"},
		"two values":  {"[1] [2]", 0, "not JSON"},
		"not UTF-8":   {"[\"\xff\"]", 0, "UTF-8"},
		"deep":        {strings.Repeat("[", 20000) + strings.Repeat("]", 20000), 0, "depth"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			items, err := SplitBatch([]byte(test.body))
			if len(items) != test.items {
				t.Errorf("%d items, not %d", len(items), test.items)
			}
			if test.detail != "" {
				wantRejection(t, err, lifecycle.ReasonMalformed, test.detail)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestParseResourcePolicy(t *testing.T) {
	raw := members{"password": "p<1>", "n": 1}
	for name, want := range map[string]string{"full": `{"n":1,"password":"p\u003c1\u003e"}`, "redacted": `{"n":1,"password":"[redacted]"}`, "none": ""} {
		policy, err := ParseResourcePolicy(name)
		if err != nil {
			t.Fatal(err)
		}
		o, err := Decoder{Resource: policy}.Decode(jobDelivery(t, members{"data.resource": raw}), received)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, name, string(o.Resource), want)
	}
	if _, err := ParseResourcePolicy("some"); err == nil {
		t.Error("an unknown policy was parsed")
	}
}

func hasState(state string) func(lifecycle.Observation) bool {
	return func(o lifecycle.Observation) bool { return o.State == state }
}

func wantRejection(t *testing.T, err error, reason lifecycle.Reason, detail string) {
	t.Helper()
	r, ok := errors.AsType[*Rejection](err)
	if !ok || r.Reason != reason || !strings.Contains(r.Detail, detail) {
		t.Errorf("got %v, not %s with %q", err, reason, detail)
	}
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %q, not %q", what, got, want)
	}
}

// stamp writes a time; "" for none.
func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Format(time.RFC3339Nano)
}
