package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/bridgetest"
	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/doctor"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/status"
)

// statusFrom returns a bridge's status without the time of the request.
func statusFrom(t *testing.T, b *bridge) status.Status {
	t.Helper()
	response := serveRequest(b.adminRoutes(true), http.MethodGet, "/v1/status", nil)
	var s status.Status
	if err := json.Unmarshal(response.Body.Bytes(), &s); err != nil || response.Code != http.StatusOK || s.AsOf.IsZero() {
		t.Fatalf("status %d, %v: %s", response.Code, err, response.Body)
	}
	s.AsOf = time.Time{}
	return s
}

// Two bridges on one NATS have the same status, except for what is local; the doctor reports the same problems.
func TestStatusOfTwoBridgesAndOfTheDoctor(t *testing.T) {
	url := brokertest.StartNATS(t, "")
	onNATS := func(c *config) { c.NatsURL = servers(url) }
	first := openWith(t, onNATS)
	now := time.Now()
	leases, err := first.js.KeyValue(t.Context(), first.names.LeaseBucket())
	if err != nil {
		t.Fatal(err)
	}
	ends := now.Add(24 * time.Hour)
	value, err := event.Leader{Project: "aurora-vod", Instance: "bridge-7", Since: now, At: now, Token: event.LeaderToken{Ends: &ends}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leases.Put(t.Context(), "aurora-vod", value); err != nil {
		t.Fatal(err)
	}
	if err := first.publisher.StoreCoverage(t.Context(), event.Coverage{Record: event.GapOpened, Project: "aurora-vod", Kind: lifecycle.Job, From: now.Add(-3 * time.Hour), Reason: "MK.IO answered 503", RecordedTime: now}); err != nil {
		t.Fatal(err)
	}
	second, err := open(t.Context(), first.config, first.log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.close)
	if code := deliver(t, second, bridgetest.Delivery(t, "job-finished.finished.json")); code != http.StatusNoContent {
		t.Fatalf("status %d", code)
	}
	if err := first.publisher.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	a, b := statusFrom(t, first), statusFrom(t, second)
	if a.Local == nil || !a.Local.Ready || !a.Local.NATSConnected || a.Local.Version != version() {
		t.Errorf("local: %+v", a.Local)
	}
	a.Local, b.Local = nil, nil
	one, _ := json.Marshal(a)
	other, _ := json.Marshal(b)
	if string(one) != string(other) {
		t.Errorf("one bridge responds\n%s, the other\n%s", one, other)
	}
	if v := a.Verdicts; v.Healthy.Level != status.Attention || v.Complete.Level != status.Critical || v.Late.Level != status.OK {
		t.Errorf("verdicts: %+v", v)
	}

	t.Setenv("BRIDGE_NATS_URL", url)
	t.Setenv("BRIDGE_MKIO_URL", "http://127.0.0.1:1")
	out, _, _ := runCommand(t, "doctor", "--output", "json")
	found := map[string]bool{}
	for line := range strings.Lines(out) {
		var f finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatal(err)
		}
		found[f.Check+" "+string(doctor.Level(f.Grade))+" "+f.Found+" "+f.Do] = true
	}
	for check, verdict := range map[string]status.Verdict{"healthy": a.Verdicts.Healthy, "complete": a.Verdicts.Complete} {
		for _, p := range verdict.Problems {
			level := map[status.Level]doctor.Level{status.Attention: doctor.Warning, status.Critical: doctor.Failed}[p.Level]
			if !found["status: "+check+" "+string(level)+" "+p.Check+": "+p.Reason+" "+p.Do] {
				t.Errorf("the doctor does not report %+v: %s", p, out)
			}
		}
	}
}

// state --stuck has the resources that the status counts as stuck.
func TestStateOfStuckResources(t *testing.T) {
	url := brokertest.StartNATS(t, "")
	b := openWith(t, func(c *config) { c.NatsURL = servers(url) }) // its job was started in the future
	key, err := lifecycle.NewKey(lifecycle.LiveChannel, "aurora-live", "news")
	if err != nil {
		t.Fatal(err)
	}
	o := lifecycle.Observation{
		Key: key, State: "Starting", At: time.Now().Add(-2 * time.Hour), Via: lifecycle.Webhook, Source: "/x", Subject: "x",
		Delivery: &lifecycle.Delivery{ID: "1", Type: "MediaKind.Test", Received: time.Now()},
	}
	if _, err := b.publisher.Observe(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := b.publisher.Load(t.Context()); err != nil { // waits for the server to fill the state bucket
		t.Fatal(err)
	}
	t.Setenv("BRIDGE_NATS_URL", url)
	out, _, code := runCommand(t, "state", "--stuck", "--output", "name")
	if code != exitOK || out != "live-channel/aurora-live/news\n" {
		t.Errorf("exit %d: %s", code, out)
	}
	if stuck := statusFrom(t, b).Resources.Stuck; len(stuck) != 1 || stuck[0].Kind != lifecycle.LiveChannel || stuck[0].State != "Starting" || stuck[0].Resources != 1 {
		t.Errorf("the status has %+v", stuck)
	}
	response := serveRequest(b.adminRoutes(true), http.MethodGet, "/v1/resources?stuck=true", nil)
	if lines := strings.Count(response.Body.String(), "\n"); lines != 1 || !strings.Contains(response.Body.String(), "aurora-live.news.starting") {
		t.Errorf("/v1/resources has %s", response.Body)
	}
}
