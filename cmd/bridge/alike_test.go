package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/jobs"
)

// notAlike are the routes whose answers are of the process, /v1/status, which another test compares without its local part, and
// /v1/evidence, which says who made it and when.
var notAlike = []string{"GET /livez", "GET /readyz", "GET /metrics", "GET /v1/config", "GET /v1/log-level", "GET /v1/status", "GET /v1/evidence", "GET /debug/pprof/", "GET /debug/pprof/profile", "GET /debug/pprof/trace"}

// Every route that reads answers the same from any bridge. What one bridge starts, the other shows.
func TestTwoBridgesAnswerAlike(t *testing.T) {
	nats := servers(brokertest.StartNATS(t, ""))
	settings := func(c *config) { c.NatsURL, c.Pprof, c.transport = nats, true, noMKIO{} }
	a := openWith(t, settings)
	b := openWith(t, settings)
	serverA, serverB := httptest.NewServer(a.adminRoutes(true)), httptest.NewServer(b.adminRoutes(true))
	t.Cleanup(serverA.Close)
	t.Cleanup(serverB.Close)
	for _, name := range []string{"job-finished.finished.json", "streaming-locator-created.json"} {
		if status := deliver(t, a, bridgetest.Delivery(t, name)); status != 204 {
			t.Fatalf("status %d", status)
		}
	}
	if status := deliver(t, b, []byte("no JSON")); status != 400 { // stored as malformed
		t.Fatalf("status %d", status)
	}
	storeCoverage(t, a, coverageOf(time.Now().UTC(), 10*time.Minute))
	for _, bridge := range []*bridge{a, b} { // as a running bridge does all the time
		if err := bridge.publisher.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	location := runJob(t, serverA, serverB, "/v1/verify")
	doctor := runJob(t, serverB, serverA, "/v1/doctor")
	targets := map[string][]string{
		"GET /v1/resources": {"/v1/resources", "/v1/resources?phase=succeeded", "/v1/resources?view=row", "/v1/resources?view=row&limit=1"},
		"GET /v1/events":    {"/v1/events?follow=false", "/v1/events?follow=false&limit=1", "/v1/events?follow=false&tail=1", "/v1/events?follow=false&tail=9&chain=true&resource=job/aurora-vod/ladder-hd/ep-0417"},
		"GET /v1/resources/{kind}/{project}/{name...}": {"/v1/resources/job/aurora-vod/ladder-hd/ep-0417"},
		"GET /v1/unapplied":                            {"/v1/unapplied", "/v1/unapplied?reason=late"},
		"GET /v1/unapplied/{sequence}":                 {"/v1/unapplied/1", "/v1/unapplied/9"},
		"GET /v1/audit":                                {"/v1/audit?until=" + time.Now().UTC().Format(time.RFC3339)},
		"GET /v1/notify":                               {"/v1/notify"},
		"GET /v1/jobs":                                 {"/v1/jobs"},
		"GET /v1/jobs/{id}":                            {location, doctor, "/v1/jobs/verify-9-0123abcd"},
		"GET /v1/session":                              {"/v1/session"},
		"GET /schemas/{name}":                          {"/schemas/event.schema.json"},
		"GET /{$}":                                     {"/"},
		"GET /console":                                 {"/console"},
		"GET /console/{file...}":                       {"/console/", "/console/index.html"},
	}
	var registered recordedRoutes
	a.registerAdminRoutes(&registered, true)
	for _, pattern := range registered {
		if !strings.HasPrefix(pattern, "GET ") || slices.Contains(notAlike, pattern) {
			continue
		}
		if targets[pattern] == nil {
			t.Errorf("%s is neither compared nor listed as not alike", pattern)
		}
		for _, target := range targets[pattern] {
			ofA, ofB := responseOf(t, serverA, target), responseOf(t, serverB, target)
			if ofA != ofB {
				t.Errorf("%s:\n%s\n%s", target, ofA, ofB)
			}
		}
	}
}

// runJob starts a job in one bridge, waits in the other for its end, and returns its path.
func runJob(t *testing.T, starts, shows *httptest.Server, target string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, starts.URL+target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := starts.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	location := response.Header.Get("Location")
	if response.StatusCode != http.StatusAccepted || location == "" {
		t.Fatalf("%s: status %d, Location %q", target, response.StatusCode, location)
	}
	var j jobs.Job
	bridgetest.Eventually(t, target+" has ended", func() bool {
		if err := json.Unmarshal([]byte(get(t, shows.URL+location, http.StatusOK)), &j); err != nil {
			t.Fatal(err)
		}
		return j.State != jobs.Running
	})
	if j.State != jobs.Done {
		t.Errorf("%s: %+v", target, j)
	}
	return location
}

// responseOf returns status, content type and body.
func responseOf(t *testing.T, server *httptest.Server, target string) string {
	t.Helper()
	response := serveRequest(server.Config.Handler, http.MethodGet, target, nil)
	return http.StatusText(response.Code) + " " + response.Header().Get("Content-Type") + " " + response.Body.String()
}

// The job of /v1/doctor finds what the command does.
func TestDoctorJobFindsWhatTheCommandFinds(t *testing.T) {
	b := openWith(t, func(c *config) { c.transport = noMKIO{} })
	server := httptest.NewServer(b.adminRoutes(true))
	t.Cleanup(server.Close)
	var j jobs.Job
	if err := json.Unmarshal([]byte(get(t, server.URL+runJob(t, server, server, "/v1/doctor"), http.StatusOK)), &j); err != nil {
		t.Fatal(err)
	}
	var result struct {
		Checks   int
		Findings []finding
	}
	if err := json.Unmarshal(j.Result, &result); err != nil || result.Checks != len(result.Findings) {
		t.Fatalf("%v: %s", err, j.Result)
	}
	var ofJob, ofCommand []string
	for _, f := range result.Findings {
		ofJob = append(ofJob, f.Check)
	}
	for f := range installationFindings(t.Context(), b.config.installation(b.connectAgain), b.verdicts) {
		ofCommand = append(ofCommand, f.Check)
	}
	if !slices.Equal(ofJob[len(ofJob)-len(ofCommand):], ofCommand) || ofJob[0] != "configuration" || !slices.Contains(ofJob, "JetStream") {
		t.Errorf("job %v, command %v", ofJob, ofCommand)
	}
	if f := result.Findings[slices.Index(ofJob, "JetStream")]; f.Grade != "ok" {
		t.Errorf("finding %+v", f)
	}
}
