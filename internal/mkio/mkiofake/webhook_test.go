package mkiofake

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A receiver receives deliveries.
type receiver struct {
	mu       sync.Mutex
	status   int
	requests []*http.Request
	bodies   []map[string]any
	at       []time.Time
}

func (r *receiver) RoundTrip(request *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var body map[string]any
	if err := json.Unmarshal(raw, &body); err != nil {
		return nil, err
	}
	r.requests, r.bodies, r.at = append(r.requests, request), append(r.bodies, body), append(r.at, time.Now())
	if r.status == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: r.status, Body: http.NoBody, Request: request}, nil
}

func (r *receiver) respondWith(status int) { r.mu.Lock(); r.status = status; r.mu.Unlock() }

func ruleForAllEvents(url string) Rule { return Rule{URL: url, Events: EventTypes()} }

func TestDeliveriesMatchTheFixtures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &receiver{status: 204}
		m := New(Config{Transport: to})
		run(t, m)
		rule := ruleForAllEvents("https://bridge.fixtures.invalid/hook?x=1")
		rule.Headers, rule.SecretHeaders = map[string]string{"X-A": "a"}, map[string]string{"X-S": "s"}
		rule.QueryParams, rule.SecretQueryParams = map[string]string{"q": "1"}, map[string]string{"sq": "2"}
		m.PutRule(VOD, "all", rule)
		m.PutRule(VOD, "off", Rule{URL: rule.URL, Events: EventTypes(), Disabled: true})
		job, locator := key(t, lifecycle.Job, VOD, "ladder-hd", "ep 1"), key(t, lifecycle.StreamingLocator, VOD, "l")
		channel := key(t, lifecycle.LiveChannel, VOD, "c")
		operation := key(t, lifecycle.ScheduledOperation, VOD, "live-channel", "c", "w")
		m.Create(job, "Queued")
		m.Move(job, "Processing")
		<-m.Idle()
		m.Move(job, "Error")
		<-m.Idle()
		m.Create(locator, "Creating")
		m.Move(locator, "Created")
		<-m.Idle()
		m.Create(channel, "Starting")
		m.Move(channel, "UnableToStart")
		<-m.Idle()
		m.Create(operation, "Pending")
		m.Move(operation, "Errored")
		<-m.Idle()
		for i, want := range []struct{ fixture, source string }{
			{"job-started", "/api/v1/projects/aurora-vod/transforms/ladder-hd/jobs/ep%201"},
			{"job-finished.error", "/api/v1/projects/aurora-vod/transforms/ladder-hd/jobs/ep%201"},
			{"streaming-locator-created", "/api/v1/projects/aurora-vod/media/streamingLocators/l"},
			{"channel-instance-error.assumed-shape", "/api/v1/projects/aurora-vod/live/liveChannels/c"},
			{"scheduled-operation-error.assumed-states", "/api/v1/projects/aurora-vod/live/liveChannels/c/scheduledOperations/w"},
		} {
			if i >= len(to.bodies) {
				t.Fatalf("%d deliveries", len(to.bodies))
			}
			expected := readFixture(t, "webhooks/"+want.fixture+".json")
			if strings.HasPrefix(want.fixture, "job-finished") {
				expected["data"].(map[string]any)["resource"].(map[string]any)["properties"].(map[string]any)["correlationData"] = map[string]any{}
			}
			if d := sameShape(want.fixture, to.bodies[i], expected); d != nil {
				t.Error(d)
			}
			if to.bodies[i]["source"] != want.source || to.bodies[i]["type"] != expected["type"] {
				t.Errorf("%v", to.bodies[i])
			}
		}
		r := to.requests[0]
		if r.URL.RawQuery != "q=1&sq=2&x=1" || r.Header.Get("X-A")+r.Header.Get("X-S") != "as" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %v", r.URL, r.Header)
		}
		if len(to.bodies) != 5 {
			t.Errorf("%d deliveries", len(to.bodies))
		}
		for _, c := range m.Changes() {
			if want := map[bool]Status{true: None, false: Sent}[c.Type == ""]; c.Delivery != want {
				t.Errorf("%+v", c)
			}
		}
	})
}

func TestFailedDeliveriesAreRetriedThenLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &receiver{}
		m := New(Config{Transport: to, Speed: 10})
		run(t, m)
		m.PutRule(VOD, "r", ruleForAllEvents("https://x.invalid"))
		job := key(t, lifecycle.Job, VOD, "t", "j")
		m.Create(job, "Processing")
		began := time.Now()
		<-m.Idle()
		if took := time.Since(began).Round(time.Second / 10); len(to.at) != maxAttempts || took != 15*time.Second {
			t.Errorf("%d attempts in %s", len(to.at), took)
		}
		m.Move(job, "Finished")
		time.Sleep(2 * time.Second)
		to.respondWith(500)
		time.Sleep(2 * time.Second)
		events := "/api/v1/projects/aurora-vod/webhook/rules/r/events"
		if got := statuses(getJSON(t, m, events)); got != "Failed Retrying" {
			t.Error(got)
		}
		to.respondWith(202)
		<-m.Idle()
		page := getJSON(t, m, events)
		if got := statuses(page); got != "Failed Sent" {
			t.Error(got)
		}
		want := readFixture(t, "rules/events.page-1.json")
		delete(want, "@odata.nextLink")
		if d := sameShape("history", page, want); d != nil {
			t.Error(d)
		}
		if got := m.Changes(); got[0].Delivery != Lost || got[1].Delivery != Sent {
			t.Error(got)
		}
		if status, _, _ := request(t, m, http.MethodDelete, strings.TrimSuffix(events, "/events"), ""); status != 200 {
			t.Error(status)
		}
		if status, _, _ := request(t, m, http.MethodDelete, strings.TrimSuffix(events, "/events"), ""); status != 204 {
			t.Error(status)
		}
		if status, _, _ := request(t, m, http.MethodGet, events, ""); status != 404 {
			t.Error(status)
		}
	})
}

func statuses(page map[string]any) string {
	var all []string
	for _, row := range page["value"].([]any) {
		all = append(all, row.(map[string]any)["status"].(string))
	}
	return strings.Join(all, " ")
}

func TestRulesOverTheAPI(t *testing.T) {
	m := New(Config{})
	const rules = "/api/v1/projects/aurora-vod/webhook/rules"
	put := string(encode(readFixture(t, "rules/rule.put-request.json")))
	for _, want := range []int{201, 200} {
		status, _, body := request(t, m, http.MethodPut, rules+"/bridge-jobs", put)
		if status != want || strings.Contains(string(body), "REDACT-ME") {
			t.Errorf("%d %s", status, body)
		}
	}
	if d := sameShape("rule", getJSON(t, m, rules+"/bridge-jobs"), readFixture(t, "rules/rule.get.json")); d != nil {
		t.Error(d)
	}
	if d := sameShape("rules", getJSON(t, m, rules), readFixture(t, "rules/rules.list.json")); d != nil {
		t.Error(d)
	}
	if d := sameShape("events", getJSON(t, m, rules+"/bridge-jobs/events"), map[string]any{"value": []any{}, "supplemental": map[string]any{
		"kind": "", "operation": "", "count": 0.0, "subscription": map[string]any{"id": "", "name": ""},
		"pagination": map[string]any{"start": 0.0, "end": 0.0, "records": 0.0, "total": 0.0},
	}}); d != nil {
		t.Error(d)
	}
	m.RefuseTypes("MediaKind.JobStarted")
	bad := func(name, body string, want int) {
		t.Helper()
		if status, _, got := request(t, m, http.MethodPut, rules+"/"+name, body); status != want {
			t.Errorf("%d %s", status, got)
		}
	}
	bad("x", put, 400)
	bad("x", `{"spec":{"enabled":true,"url":"https://x.invalid"}}`, 400)
	bad("x", `{"spec":{"enabled":true,"url":"x","events":[]}}`, 400)
	bad("x", `[`, 400)
	m.ForbidRules(VOD, true)
	bad("x", put, 403)
}

// Live events of the Media API have deliveries only where the configuration says so.
func TestDeliveriesOfMediaLiveEvents(t *testing.T) {
	for _, on := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			to := &receiver{status: 204}
			m := New(Config{Transport: to, LiveEventWebhooks: on})
			run(t, m)
			m.PutRule(Live, "all", ruleForAllEvents("https://bridge.fixtures.invalid/hook"))
			event := key(t, lifecycle.LiveEvent, Live, "regatta-cam1")
			m.Create(event, "Stopped")
			for _, state := range []string{"Starting", "Running", "Stopping", "Stopped"} {
				m.Move(event, state)
			}
			<-m.Idle()
			var types []string
			for _, body := range to.bodies {
				types = append(types, body["type"].(string)+" "+body["source"].(string))
			}
			slices.Sort(types)
			var want []string
			if on {
				const source = " /api/v1/projects/harbor-live/media/liveEvents/regatta-cam1"
				want = []string{instanceStarted + source, instanceStopped + source}
			}
			if !slices.Equal(types, want) {
				t.Errorf("deliveries %v, want %v", types, want)
			}
		})
	}
}
