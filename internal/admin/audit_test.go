package admin

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// storeCoverage stores the record of a sweep that began some time ago.
func (f *fixture) storeCoverage(project string, kind lifecycle.Kind, ago time.Duration) {
	f.t.Helper()
	from := time.Now().UTC().Add(-ago)
	to, due := from.Add(time.Second), from.Add(90*time.Minute)
	record := event.Coverage{Record: event.Covered, Project: project, Kind: kind, From: from, To: &to, Due: &due, Resources: 7, RecordedTime: to}
	if err := f.publisher.StoreCoverage(f.t.Context(), record); err != nil {
		f.t.Fatal(err)
	}
}

func TestAudit(t *testing.T) {
	f := setUp(t)
	routes := f.routes()
	if view := getJSON[auditView](t, routes, "/v1/audit", http.StatusOK); view.Complete || view.Reason != "no record of any sweep" || view.Items == nil {
		t.Errorf("without a record: %+v", view)
	}
	for _, ago := range []time.Duration{50 * time.Minute, 10 * time.Minute} {
		f.storeCoverage("vod", lifecycle.Job, ago)
		f.storeCoverage("vod", lifecycle.Asset, ago)
		f.storeCoverage("live", lifecycle.Job, ago)
	}
	view := getJSON[auditView](t, routes, "/v1/audit?since=24h", http.StatusOK)
	if !view.Complete || view.Since == nil || len(view.Items) != 3 || view.Items[0].Project != "live" || view.Items[1].Kind != lifecycle.Asset || view.Next != "" {
		t.Errorf("all: %+v", view)
	}
	if view := getJSON[auditView](t, routes, "/v1/audit?kind=job&project=vod", http.StatusOK); len(view.Items) != 1 || view.Since != nil {
		t.Errorf("one: %+v", view)
	}
	if view := getJSON[auditView](t, routes, "/v1/audit?since=24h&until=2h", http.StatusOK); view.Complete || !strings.Contains(view.Reason, "before the first sweep") {
		t.Errorf("before the first sweep: %+v", view)
	}
	f.storeCoverage("vod", lifecycle.Asset, -3*time.Hour) // the sweep after its predecessor was due
	until := time.Now().Add(3 * time.Hour).UTC().Format(time.RFC3339)
	if view := getJSON[auditView](t, routes, "/v1/audit?since=1h&limit=1&until="+until, http.StatusOK); view.Complete {
		t.Errorf("a gap on another page: %+v", view)
	}
	for target, want := range map[string]string{
		"/v1/audit?since=1h&until=2h": "since must be before until", "/v1/audit?since=2199-01-01&until=2200-01-01": "in the future", "/v1/audit?since=x": "since", "/v1/audit?reason=late": "unknown parameter", "/v1/audit?limit=1000000000": "1000",
		"/v1/audit?after=" + cursor{Stream: "MKIO_EVENTS", Identity: "another", After: "x", Until: until}.String(): "another MKIO_EVENTS",
	} {
		if response := serveRequest(routes, http.MethodGet, target, nil); response.Code != http.StatusBadRequest || !strings.Contains(response.Body.String(), want) {
			t.Errorf("%s: status %d: %s", target, response.Code, response.Body)
		}
	}
}

// The pages of an audit are about one period, although "an hour ago" moves on.
func TestAuditPages(t *testing.T) {
	f := setUp(t)
	for _, project := range []string{"a", "b", "c"} {
		f.storeCoverage(project, lifecycle.Job, 50*time.Minute)
	}
	routes := f.routes()
	var projects []string
	first := getJSON[auditView](t, routes, "/v1/audit?since=40m&limit=1", http.StatusOK)
	for view := first; ; view = getJSON[auditView](t, routes, "/v1/audit?since=1m&limit=1&after="+view.Next, http.StatusOK) {
		if len(view.Items) != 1 || !view.Until.Equal(first.Until) || !view.Items[0].From.Equal(first.Items[0].From) {
			t.Fatalf("page %+v", view)
		}
		projects = append(projects, view.Items[0].Project)
		if view.Next == "" {
			break
		}
	}
	if !slices.Equal(projects, []string{"a", "b", "c"}) {
		t.Errorf("projects %v", projects)
	}
}

// A kind that no sweep compares has an item if it has events, also while the cache is being filled.
func TestAuditNamesKindsThatAreNotPolled(t *testing.T) {
	f := fixtureWithEvents(t)
	instance := bridgetest.Delivery(t, "channel-instance-started.assumed-shape.json")
	f.deliverBody(bytes.Replace(instance, []byte("live/liveChannels/"), []byte("live/instances/"), 1))
	if err := f.publisher.Load(t.Context()); err != nil { // waits for the server to fill the state bucket
		t.Fatal(err)
	}
	for name, heads := range map[string]Heads{"cache": f.Heads, "no cache": noCache{f.Heads}} {
		t.Run(name, func(t *testing.T) {
			c := f.Config
			c.Heads = heads
			view := getJSON[auditView](t, routesOf(c), "/v1/audit", http.StatusOK)
			var items []string
			for _, item := range view.Items {
				items = append(items, item.Project+" "+string(item.Kind))
				if item.Polled || item.Provable != (item.Kind != lifecycle.ChannelInstance) || item.Reason == "" || len(item.Gaps) != 1 || len(item.Proofs) != 0 || item.Gaps[0].Reason != item.Reason {
					t.Errorf("%+v", item)
				}
			}
			if view.Reason != "no record of any sweep" || view.Complete || !slices.Equal(items, []string{"aurora-vod job", "aurora-vod streaming-locator", "harbor-live channel-instance", "harbor-live scheduled-operation"}) {
				t.Errorf("%v: %+v", items, view)
			}
		})
	}
	if view := getJSON[auditView](t, f.routes(), "/v1/audit?since=2000-01-01", http.StatusOK); len(view.Items) != 4 || time.Since(view.Items[0].From) > time.Hour {
		t.Errorf("the period of a kind begins before the log: %+v", view.Items)
	}
	f.storeCoverage("aurora-vod", lifecycle.Job, 10*time.Minute)
	if view := getJSON[auditView](t, f.routes(), "/v1/audit?project=aurora-vod", http.StatusOK); len(view.Items) != 2 || !view.Items[0].Polled || view.Items[1].Polled || !view.Complete || view.Reason != "" {
		t.Errorf("one kind is polled: %+v", view)
	}
}

// noCache is a cache that is being filled.
type noCache struct{ Heads }

func (noCache) LogIdentity() string { return "" }

func TestAuditMarks(t *testing.T) {
	f := setUp(t)
	for minutes := range 7 {
		f.storeCoverage("vod", lifecycle.Job, time.Duration(60-minutes)*time.Minute)
	}
	for query, want := range map[string][]int{"": nil, "&marks=0": nil, "&marks=1": {0}, "&marks=2": {0, 6}, "&marks=3": {0, 3, 6}, "&marks=200": {0, 1, 2, 3, 4, 5, 6}} {
		view := getJSON[auditView](t, f.routes(), "/v1/audit?since=2h"+query, http.StatusOK)
		var marks []int
		for _, mark := range view.Items[0].Marks {
			marks = append(marks, int(mark.Sub(view.Items[0].From).Round(time.Minute).Minutes()))
		}
		if !slices.Equal(marks, want) {
			t.Errorf("%s: %v, want %v", query, marks, want)
		}
	}
	if response := serveRequest(f.routes(), http.MethodGet, "/v1/audit?marks=201", nil); response.Code != http.StatusBadRequest {
		t.Errorf("status %d", response.Code)
	}
}

func TestConfigIsOfThisProcess(t *testing.T) {
	c := configWithoutLog()
	c.Settings = func() map[string]string { return map[string]string{"LISTEN": "127.0.0.1:8080"} }
	if body := strings.TrimSpace(serveRequest(routesOf(c), http.MethodGet, "/v1/config", nil).Body.String()); body != `{"local":{"settings":{"LISTEN":"127.0.0.1:8080"}}}` {
		t.Errorf("configuration %s", body)
	}
}
