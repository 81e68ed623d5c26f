package mkiofake

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// sampleKey returns a key of a kind.
func sampleKey(t *testing.T, kind lifecycle.Kind) lifecycle.Key {
	t.Helper()
	return key(t, kind, VOD, []string{"live-channel", "parent", "name"}[lifecycle.MaxDepth-kind.Depth():]...)
}

// There is a sample of each type of delivery, and a kind has samples of the states for which MK.IO documents a delivery.
func TestSamplesCoverAllDeliveries(t *testing.T) {
	types := map[string]bool{}
	for _, kind := range lifecycle.Kinds() {
		sampled := map[string]bool{}
		for _, state := range SampleStates(kind) {
			sampled[state] = true
			d := decodeSample(t, sampleKey(t, kind), state, time.Now())
			types[d.Type] = true
			if d.Data.State != state {
				t.Errorf("%s.%s: state %s", kind, state, d.Data.State)
			}
		}
		for _, s := range lifecycle.States(kind) {
			o := lifecycle.Observation{Key: lifecycle.Key{Kind: kind}, State: s.State}
			if lifecycle.SendsWebhook(&lifecycle.Fact{State: "Starting"}, o) != sampled[s.State] {
				t.Errorf("%s.%s: a sample exists: %t", kind, s.State, sampled[s.State])
			}
		}
	}
	for _, typ := range EventTypes() {
		if !types[typ] {
			t.Errorf("no sample is of type %s", typ)
		}
	}
	if _, err := Sample(sampleKey(t, lifecycle.Job), "Queued", time.Now()); err == nil {
		t.Error("a sample of a state that MK.IO does not deliver")
	}
	if _, err := Sample(key(t, lifecycle.ScheduledOperation, VOD, "asset", "a", "o"), "Accepted", time.Now()); err == nil {
		t.Error("a sample of an operation of a kind that has none")
	}
}

type decodedSample struct {
	ID, Type string
	Time     time.Time
	Data     struct {
		State    string
		Resource struct{ SystemData struct{ InternalID string } }
	}
}

func decodeSample(t *testing.T, key lifecycle.Key, state string, at time.Time) (d decodedSample) {
	t.Helper()
	body, err := Sample(key, state, at)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// Samples of one resource are deliveries of one life, so that a job that was started can be finished.
func TestSamplesOfOneResource(t *testing.T) {
	at := time.Now()
	job := sampleKey(t, lifecycle.Job)
	started, finished := decodeSample(t, job, "processing", at), decodeSample(t, job, "FINISHED", at)
	if started.ID == finished.ID || started.Data.Resource.SystemData.InternalID == "" || started.Data.Resource.SystemData != finished.Data.Resource.SystemData {
		t.Errorf("%+v and %+v", started, finished)
	}
	if late := finished.Time.Sub(at); late < -time.Millisecond || finished.Time.After(time.Now()) {
		t.Errorf("the sample is %s after its time", late)
	}
}

// A sample has the shape of the deliveries in the documentation.
func TestSamplesMatchTheFixtures(t *testing.T) {
	for fixture, of := range map[string]struct {
		kind  lifecycle.Kind
		state string
	}{
		"job-started":                              {lifecycle.Job, "Processing"},
		"job-finished.error":                       {lifecycle.Job, "Error"},
		"streaming-locator-created":                {lifecycle.StreamingLocator, "Created"},
		"channel-instance-error.assumed-shape":     {lifecycle.LiveChannel, "UnableToStart"},
		"scheduled-operation-error.assumed-states": {lifecycle.ScheduledOperation, "Errored"},
	} {
		body, err := Sample(sampleKey(t, of.kind), of.state, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		var is map[string]any
		if err := json.Unmarshal(body, &is); err != nil {
			t.Fatal(err)
		}
		expected := readFixture(t, "webhooks/"+fixture+".json")
		if strings.HasPrefix(fixture, "job-finished") {
			expected["data"].(map[string]any)["resource"].(map[string]any)["properties"].(map[string]any)["correlationData"] = map[string]any{}
		}
		if d := sameShape(fixture, is, expected); d != nil {
			t.Error(d)
		}
	}
}
