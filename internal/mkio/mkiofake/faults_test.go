package mkiofake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/lifecycle"
)

func TestAPIFaults(t *testing.T) {
	m := New(Config{PageSize: 2})
	for i := range 5 {
		m.Create(key(t, lifecycle.Asset, VOD, fmt.Sprint("a", i)), "Ready")
	}
	const assets = "/api/v1/projects/aurora-vod/media/assets"
	with := func(f Faults, path string) (int, http.Header, string) {
		m.SetFaults(f)
		status, header, body := request(t, m, http.MethodGet, path, "")
		return status, header, string(body)
	}
	if status, _, _ := with(Faults{RateLimited: 1}, assets); status != 429 {
		t.Error(status)
	}
	if status, _, _ := with(Faults{ServerError: 1}, assets); status != 500 && status != 503 {
		t.Error(status)
	}
	if status, header, body := with(Faults{Gateway: 1}, assets); status != 502 || header.Get("Content-Type") != "text/html" || body[0] != '<' {
		t.Error(status, header, body)
	}
	if status, _, body := with(Faults{Cut: 1}, assets); status != 200 || json.Valid([]byte(body)) {
		t.Error(status, body)
	}
	if status, _, _ := with(Faults{PageFail: 1}, assets); status != 200 {
		t.Error(status)
	}
	if status, _, _ := with(Faults{PageFail: 1}, assets+"?$skiptoken=2"); status != 500 {
		t.Error(status)
	}
	if _, _, body := with(Faults{NoSupplemental: 1}, assets); strings.Contains(body, "supplemental") {
		t.Error(body)
	}
	m.SetFaults(Faults{EmptyList: 1})
	if o := getJSON(t, m, assets); rowNames(o) != "" || o["supplemental"] == nil {
		t.Error(o)
	}
	m.SetFaults(Faults{Shift: 1})
	if got := rowNames(getJSON(t, m, assets+"?$skiptoken=2")); got == "a2 a3" {
		t.Error(got)
	}
	m.SetFaults(Faults{})
	m.SetEmptyLists(VOD, true)
	if got := rowNames(getJSON(t, m, assets)); got != "" {
		t.Error(got)
	}
}

func TestStaleReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Faults: Faults{Stale: 1, StaleBy: time.Minute}})
		job := key(t, lifecycle.Job, VOD, "t", "j")
		m.Create(job, "Queued")
		m.Move(job, "Processing")
		const path = "/api/v1/projects/aurora-vod/media/transforms/t/jobs/j/state"
		state := func() any { return getJSON(t, m, path)["status"].(map[string]any)["state"] }
		if got := state(); got != "Queued" {
			t.Error(got)
		}
		time.Sleep(time.Minute)
		if got := state(); got != "Processing" {
			t.Error(got)
		}
	})
}

func TestCutResponseOverHTTP(t *testing.T) {
	m := New(Config{Faults: Faults{Cut: 1}})
	server := httptest.NewServer(m)
	defer server.Close()
	response, err := http.Get(server.URL + "/api/v1/projects/aurora-vod")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err == nil {
		t.Errorf("complete body: %s", body)
	}
}

func TestDeliveryFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &receiver{status: 204}
		m := New(Config{Transport: to, Faults: Faults{Repeat: 1, RepeatBy: time.Hour, NewID: 0.5, Dropped: 0.2, Failed: 0.2, Late: 0.3, LateBy: 10 * time.Minute}})
		run(t, m)
		m.PutRule(VOD, "r", ruleForAllEvents("https://x.invalid"))
		const jobs = 100
		for i := range jobs {
			m.Create(key(t, lifecycle.Job, VOD, "t", fmt.Sprint(i)), "Processing")
		}
		<-m.Idle()
		count := map[Status]int{}
		for _, c := range m.Changes() {
			count[c.Delivery]++
		}
		ids := map[any]int{}
		for _, b := range to.bodies {
			ids[b["id"]]++
		}
		if count[Lost] < 20 || count[Lost]+count[Sent] != jobs || len(to.bodies) != 2*count[Sent] || len(ids) < count[Sent]+10 || len(ids) == len(to.bodies) {
			t.Errorf("%v, %d requests, %d ids", count, len(to.bodies), len(ids))
		}
		history := statuses(getJSON(t, m, "/api/v1/projects/aurora-vod/webhook/rules/r/events"))
		if strings.Count(history, "Failed") == 0 || strings.Count(history, "Sent") <= count[Sent] {
			t.Error(history)
		}
	})
}

// Lists of many jobs are requested often: their rows are cached.
func BenchmarkListOfTenThousandJobs(b *testing.B) {
	m := New(Config{ReadLimit: -1})
	for i := range 10000 {
		m.Create(key(b, lifecycle.Job, VOD, "t", fmt.Sprint(i)), "Queued")
	}
	for b.Loop() {
		request(b, m, http.MethodGet, "/api/v1/projects/aurora-vod/media/jobs?$orderby=properties/lastModified&$skiptoken=5000", "")
	}
}
