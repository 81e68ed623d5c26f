package admin

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

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
		"/v1/audit?since=1h&until=2h": "since must be before until", "/v1/audit?since=x": "since", "/v1/audit?reason=late": "unknown parameter", "/v1/audit?limit=1000000000": "1000",
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

func TestConfigIsOfThisProcess(t *testing.T) {
	c := configWithoutLog()
	c.Settings = func() map[string]string { return map[string]string{"LISTEN": "127.0.0.1:8080"} }
	if body := strings.TrimSpace(serveRequest(routesOf(c), http.MethodGet, "/v1/config", nil).Body.String()); body != `{"local":{"settings":{"LISTEN":"127.0.0.1:8080"}}}` {
		t.Errorf("configuration %s", body)
	}
}
