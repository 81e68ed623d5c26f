package mkiofake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/lifecycle"
)

const writeBase = "/api/v1/projects/" + VOD + "/media/"

// checkStatuses sends requests, each "METHOD path", and compares their statuses.
func checkStatuses(t *testing.T, m *MKIO, body string, want map[int][]string) {
	t.Helper()
	for status, requests := range want {
		for _, r := range requests {
			method, path, _ := strings.Cut(r, " ")
			if got, _, answer := request(t, m, method, writeBase+path, body); got != status {
				t.Errorf("%s: %d, want %d: %s", r, got, status, answer)
			}
		}
	}
}

const locatorBody = `{"properties": {"assetName": "ep-1-out", "streamingPolicyName": "Predefined_ClearStreamingOnly"}}`

func TestALocatorIsCreatedOnceAndSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Settle: 3 * time.Second})
		run(t, m)
		const put = "PUT streamingLocators/l%201"
		checkStatuses(t, m, locatorBody, map[int][]string{http.StatusNotFound: {put}}) // there is no such asset
		m.Create(key(t, lifecycle.Asset, VOD, "ep-1-out"), "Ready")
		checkStatuses(t, m, `{"properties": {"assetName": "ep-1-out"}}`, map[int][]string{http.StatusBadRequest: {put}})
		checkStatuses(t, m, locatorBody, map[int][]string{http.StatusCreated: {put}})
		checkStatuses(t, m, locatorBody, map[int][]string{http.StatusOK: {put}})
		checkStatuses(t, m, strings.ReplaceAll(locatorBody, "ep-1", "ep-2"), map[int][]string{http.StatusConflict: {put}})

		_, _, body := request(t, m, http.MethodPost, writeBase+"streamingLocators/l%201/listPaths", "{}")
		var list struct{ StreamingPaths []struct{ Paths []string } }
		if err := json.Unmarshal(body, &list); err != nil || len(list.StreamingPaths) != 2 || len(list.StreamingPaths[0].Paths) != 1 {
			t.Errorf("paths %s: %v", body, err)
		}
		time.Sleep(3*time.Second + time.Millisecond)
		var states []string
		for _, c := range m.Changes() {
			if c.Key.Kind == lifecycle.StreamingLocator {
				states = append(states, c.State)
			}
		}
		if !slices.Equal(states, []string{"Creating", "Created"}) {
			t.Errorf("states %v", states)
		}
		properties := getJSON(t, m, writeBase+"streamingLocators/l%201")["properties"].(map[string]any)
		if properties["assetName"] != "ep-1-out" {
			t.Errorf("record %v", properties)
		}
	})
}

func TestStartAndStopTakeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Settle: time.Minute})
		run(t, m)
		event := key(t, lifecycle.LiveEvent, VOD, "cam")
		m.Create(event, "Stopped")
		const start, stop = "POST liveEvents/cam/start", "POST liveEvents/cam/stop"
		expect := func(state string) {
			t.Helper()
			if got := m.Current()[event].State; got != state {
				t.Fatalf("state %s, want %s", got, state)
			}
		}
		checkStatuses(t, m, "", map[int][]string{
			http.StatusBadRequest: {stop, "POST liveEvents/cam/allocate"}, http.StatusNotFound: {"POST liveEvents/no/start", "POST assets/a/start"},
		})
		checkStatuses(t, m, "", map[int][]string{http.StatusOK: {start}})
		checkStatuses(t, m, "", map[int][]string{http.StatusBadRequest: {start}})
		expect("Starting")
		time.Sleep(time.Minute + time.Millisecond)
		expect("Running")
		output := key(t, lifecycle.LiveOutput, VOD, "cam", "rec")
		m.Create(output, "Running")
		checkStatuses(t, m, "", map[int][]string{http.StatusBadRequest: {stop}})
		m.Delete(output)
		checkStatuses(t, m, "", map[int][]string{http.StatusOK: {stop}})
		expect("Stopping")
		m.Move(event, "Running") // it does not stop after all
		time.Sleep(time.Minute + time.Millisecond)
		expect("Running")
	})
}

// Writes and changes are in one order: a test can judge whether a request came too early.
func TestWritesAndChangesHaveOneOrder(t *testing.T) {
	m := New(Config{Settle: -1})
	endpoint := key(t, lifecycle.StreamingEndpoint, VOD, "default")
	m.Create(endpoint, "Stopped")
	checkStatuses(t, m, "", map[int][]string{http.StatusOK: {"POST streamingEndpoints/default/start"}})
	m.Move(endpoint, "Running")
	m.Grant(VOD, "ams.streamingendpoint.get")
	checkStatuses(t, m, "", map[int][]string{http.StatusForbidden: {"POST streamingEndpoints/default/stop"}})
	var all []string
	writes := m.Writes()
	for _, c := range m.Changes() {
		for len(writes) > 0 && writes[0].Order < c.Order {
			all, writes = append(all, fmt.Sprint(writes[0].Path, " ", writes[0].Status)), writes[1:]
		}
		all = append(all, c.State)
	}
	want := []string{"Stopped", "media/streamingEndpoints/default/start 200", "Starting", "Running"}
	if !slices.Equal(all, want) || len(writes) != 1 || writes[0].Status != http.StatusForbidden {
		t.Errorf("%v, then %v", all, writes)
	}
}
