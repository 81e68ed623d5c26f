package mkiofake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"testing"

	"mkio-bridge/internal/lifecycle"
)

func readFixture(t *testing.T, path string) map[string]any {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + path)
	if err != nil {
		t.Fatal(err)
	}
	var o map[string]any
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// sameShape compares the members of two values and the JSON types of their values. Lists are compared by their first items;
// null matches any type; free-form maps are not compared.
func sameShape(at string, got, want any) (differences []string) {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s is no object", at)}
		}
		if last := at[max(0, len(at)-7):]; last == ".labels" || last == "ionData" {
			return nil
		}
		if got["@odata.type"] != want["@odata.type"] {
			return nil // another variant
		}
		for name, value := range want {
			if _, ok := got[name]; !ok {
				differences = append(differences, at+"."+name+" is missing")
				continue
			}
			differences = append(differences, sameShape(at+"."+name, got[name], value)...)
		}
		for name := range got {
			if _, ok := want[name]; !ok {
				differences = append(differences, at+"."+name+" is too much")
			}
		}
	case []any:
		got, ok := got.([]any)
		if !ok {
			return []string{at + " is no list"}
		}
		if len(got) > 0 && len(want) > 0 {
			return sameShape(at+"[0]", got[0], want[0])
		}
	case nil:
	default:
		if fmt.Sprintf("%T", got) != fmt.Sprintf("%T", want) {
			return []string{fmt.Sprintf("%s is a %T", at, got)}
		}
	}
	return differences
}

func TestRecordsListsAndStatesMatchTheFixtures(t *testing.T) {
	m := New(Config{})
	for _, c := range []struct {
		fixture, list, state string
		kind                 lifecycle.Kind
		names                []string
		path                 string
		states               []string
	}{
		{"asset", "assets.page-1", "asset", lifecycle.Asset, []string{"a"}, "media/assets/a", []string{"Ready"}},
		{"content-key-policy", "content-key-policies.page-1", "content-key-policy", lifecycle.ContentKeyPolicy, []string{"a"}, "media/contentKeyPolicies/a", []string{"Created"}},
		{"job.error", "jobs.by-transform.page-1", "job", lifecycle.Job, []string{"t", "a"}, "media/transforms/t/jobs/a", []string{"Queued", "Processing", "Error"}},
		{"media-live-event", "media-live-events.page-1", "media-live-event", lifecycle.LiveEvent, []string{"a"}, "media/liveEvents/a", []string{"Stopped"}},
		{"live-output", "live-outputs.page-1", "live-output", lifecycle.LiveOutput, []string{"a", "o"}, "media/liveEvents/a/liveOutputs/o", []string{"Running"}},
		{"streaming-endpoint", "streaming-endpoints.page-1", "streaming-endpoint", lifecycle.StreamingEndpoint, []string{"a"}, "media/streamingEndpoints/a", []string{"Stopped"}},
		{"streaming-locator", "streaming-locators.page-1", "streaming-locator", lifecycle.StreamingLocator, []string{"a"}, "media/streamingLocators/a", []string{"Created"}},
		{"storage", "storage.page-1", "", lifecycle.Storage, []string{"a"}, "media/storage/a", []string{"", "Creating", "Running"}},
		{"source", "sources.page-1", "", lifecycle.Source, []string{"a"}, "media/sources/a", []string{"Active"}},
		{"content", "", "", lifecycle.Content, []string{"a"}, "media/content/a", []string{"Inactive"}},
		{"destination", "", "", lifecycle.Destination, []string{"a"}, "media/destinations/a", []string{"Inactive"}},
		{"live-channel", "live-channels.page-1", "live-channel", lifecycle.LiveChannel, []string{"a"}, "live/liveChannels/a", []string{"Running"}},
		{"live-event.unable-to-start", "live-events.page-1", "live-event", lifecycle.LiveAPIEvent, []string{"a"}, "live/liveEvents/a", []string{"UnableToStart"}},
		{"static-multiview-channel", "", "static-multiview-channel", lifecycle.StaticMultiviewChannel, []string{"a"}, "live/staticMultiviewChannels/a", []string{"Running"}},
		{"static-multiview-event", "", "static-multiview-event", lifecycle.StaticMultiviewEvent, []string{"a"}, "live/staticMultiviewEvents/a", []string{""}},
		{"scheduled-operation.errored", "scheduled-operations.page-1", "", lifecycle.ScheduledOperation, []string{"live-api-event", "a", "o"}, "live/liveEvents/a/scheduledOperations/o", []string{"Errored"}},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			k := key(t, c.kind, VOD, c.names...)
			for i, state := range c.states {
				if i == 0 {
					m.Create(k, state)
				} else {
					m.Move(k, state)
				}
			}
			const base = "/api/v1/projects/aurora-vod/"
			got := getJSON(t, m, base+c.path)
			want := readFixture(t, "records/"+c.fixture+".json")
			if c.kind == lifecycle.Job { // one fixture without, others with it
				want["properties"].(map[string]any)["correlationData"] = map[string]any{}
			}
			if d := sameShape("record", got, want); d != nil {
				t.Error(d)
			}
			if (got["type"] != want["type"]) || got["kind"] != want["kind"] {
				t.Errorf("type %v, kind %v", got["type"], got["kind"])
			}
			collection := c.path[:len(c.path)-2]
			page := getJSON(t, m, base+collection)
			if len(page["value"].([]any)) != 1 || page["value"].([]any)[0].(map[string]any)["metadata"] == nil && page["value"].([]any)[0].(map[string]any)["supplemental"] != nil {
				t.Errorf("page %v", page)
			}
			if c.list != "" {
				want := readFixture(t, "lists/"+c.list+".json")
				delete(want, "@odata.nextLink")
				delete(want, "value")
				delete(page, "value")
				if d := sameShape("list", page, want); d != nil {
					t.Error(d)
				}
				if got, want := page["supplemental"].(map[string]any)["kind"], want["supplemental"].(map[string]any)["kind"]; got != want {
					t.Errorf("list of %v, want %v", got, want)
				}
			}
			if c.state == "" {
				if status, _, _ := request(t, m, http.MethodGet, base+c.path+"/state", ""); status != http.StatusNotFound {
					t.Errorf("/state: %d", status)
				}
			} else if d := sameShape("state", getJSON(t, m, base+c.path+"/state"), readFixture(t, "state/"+c.state+".json")); d != nil {
				t.Error(d)
			}
		})
	}
	if d := sameShape("project", getJSON(t, m, "/api/v1/projects/aurora-vod"), readFixture(t, "records/project.json")); d != nil {
		t.Error(d)
	}
	if got := rowNames(getJSON(t, m, "/api/v1/projects")); got != "aurora-vod harbor-live" {
		t.Error(got)
	}
	if got := getJSON(t, m, "/api/v1/projects/aurora-vod/live/search?$filter=status/state%20eq%20''"); rowNames(got) != "a" {
		t.Error(got)
	}
}

// A recording job has a recording in the documented shape, and an error text once it failed.
func TestRecordingJobMatchesTheFixture(t *testing.T) {
	m := New(Config{})
	job := key(t, lifecycle.Job, Live, RecordingTransform, "cup-final-replay")
	m.Create(job, "Queued")
	m.Move(job, "Processing")
	const path = "/api/v1/projects/harbor-live/media/transforms/record-clip/jobs/cup-final-replay"
	recording := func(record map[string]any) any { return record["properties"].(map[string]any)["recording"] }
	if d := sameShape("recording", recording(getJSON(t, m, path)), recording(readFixture(t, "records/job.recording.json"))); d != nil {
		t.Error(d)
	}
	m.Move(job, "Error")
	if r := recording(getJSON(t, m, path)).(map[string]any); r["state"] != "Error" || r["details"] == "" {
		t.Errorf("recording %v", r)
	}
}

func TestStateEndpointVocabulary(t *testing.T) {
	m := New(Config{})
	endpoint, event := key(t, lifecycle.StreamingEndpoint, VOD, "e"), key(t, lifecycle.LiveEvent, VOD, "l")
	m.Create(endpoint, "Stopped")
	m.Create(event, "Stopped")
	state := func(path string) any {
		return getJSON(t, m, "/api/v1/projects/aurora-vod/media/"+path+"/state")["status"].(map[string]any)["state"]
	}
	got := []any{state("streamingEndpoints/e"), state("liveEvents/l")}
	for _, s := range []string{"Starting", "Running", "Stopping", "Stopped"} {
		m.Move(endpoint, s)
	}
	got = append(got, state("streamingEndpoints/e"))
	if !slices.Equal(got, []any{"Created", "StandBy", "Stopped"}) {
		t.Error(got)
	}
}
