package mkiofake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/lifecycle"
)

const (
	assets = "/api/v1/projects/aurora-vod/media/assets"
	jobs   = "/api/v1/projects/aurora-vod/media/jobs"
	oneJob = "/api/v1/projects/aurora-vod/media/transforms/t/jobs/j"
)

// stateOf returns the state in a job's record.
func stateOf(o map[string]any) string { return o["properties"].(map[string]any)["state"].(string) }

// stateIn returns the state of the first job of a list; "" if the list is empty.
func stateIn(o map[string]any) string {
	rows := o["value"].([]any)
	if len(rows) == 0 {
		return ""
	}
	return stateOf(rows[0].(map[string]any))
}

func TestNextLinksOfAnotherOrigin(t *testing.T) {
	m := New(Config{PageSize: 1, Seed: 7, Faults: Faults{OtherOrigin: 1}})
	for i := range 40 {
		m.Create(key(t, lifecycle.Asset, VOD, fmt.Sprint("a", i)), "Ready")
	}
	origins := map[string]bool{}
	for next, n := assets, 0; next != ""; n++ {
		page := getJSON(t, m, next)
		if got, want := rowNames(page), fmt.Sprint("a", n); got != want {
			t.Fatalf("page %d has %q", n, got)
		}
		link, _ := page["@odata.nextLink"].(string)
		if link == "" {
			break
		}
		u, err := url.Parse(link)
		if err != nil || u.Path != assets || u.Query().Get("$skiptoken") != fmt.Sprint(n+1) {
			t.Fatalf("link %q: %v", link, err)
		}
		origins[strings.TrimSuffix(link, u.RequestURI())] = true
		next = u.RequestURI()
	}
	for _, origin := range []string{
		"http://app.mk.io", "https://api-7.northmoor.internal:8080", "https://app.mk.io:8443", "https://app.mk.io:443", "HTTPS://APP.MK.IO",
	} {
		if !origins[origin] {
			t.Errorf("no link leads to %s", origin)
		}
		delete(origins, origin)
	}
	if len(origins) > 0 {
		t.Errorf("links lead to %v", origins)
	}
}

func TestCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Faults: Faults{Cached: 1, CachedBy: 20 * time.Minute}})
		job := key(t, lifecycle.Job, VOD, "t", "j")
		if status, _, _ := request(t, m, http.MethodGet, oneJob, ""); status != http.StatusNotFound {
			t.Fatal(status)
		}
		m.Create(job, "Queued")
		created := m.Now().UTC().Format(http.TimeFormat)
		for path, want := range map[string]int{oneJob: http.StatusNotFound, jobs: http.StatusOK, oneJob + "/state": http.StatusOK} {
			if status, header, _ := request(t, m, http.MethodGet, path, ""); status != want || header.Get("Age") != map[string]string{oneJob: "0"}[path] {
				t.Errorf("%s: %d, age %q", path, status, header.Get("Age"))
			}
		}
		time.Sleep(10 * time.Minute)
		m.Move(job, "Processing")
		changed := m.Changes()
		for _, path := range []string{oneJob, jobs, oneJob + "/state"} {
			status, header, body := request(t, m, http.MethodGet, path, "")
			if header.Get("Date") != created || header.Get("Age") != "600" || strings.Contains(string(body), "Processing") {
				t.Errorf("%s: %d, date %q, age %q: %s", path, status, header.Get("Date"), header.Get("Age"), body)
			}
		}
		if !slices.Equal(m.Changes(), changed) {
			t.Error("a cached response counts as shown by MK.IO")
		}
		if status, _, _ := request(t, m, http.MethodGet, jobs+"?$top=5", ""); status != http.StatusOK {
			t.Error(status)
		}
		if o := getJSON(t, m, jobs+"?$top=5"); stateIn(o) != "Processing" {
			t.Error("an uncached request is served from the cache")
		}
		time.Sleep(10*time.Minute + time.Second)
		if got := stateOf(getJSON(t, m, oneJob)); got != "Processing" {
			t.Errorf("%q, from an expired cached response", got)
		}
	})
}

func TestCacheWithoutAgeOrDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Faults: Faults{Cached: 1, CachedBy: time.Hour}})
		server := httptest.NewUnstartedServer(m) // only its handler is used: virtual time has no network
		header := func(noCache bool) http.Header {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodGet, jobs, http.NoBody)
			if noCache {
				r.Header.Set("Cache-Control", "no-cache")
			}
			server.Config.Handler.ServeHTTP(w, r)
			return w.Header()
		}
		first := header(false).Get("Date")
		time.Sleep(time.Minute)
		m.SetFaults(Faults{Cached: 1, CachedBy: time.Hour, CacheOmitsAge: 1})
		if h := header(false); h.Get("Date") != first || h.Get("Age") != "" {
			t.Error(h)
		}
		m.SetFaults(Faults{Cached: 1, CachedBy: time.Hour, CacheOmitsDate: 1})
		h := header(true)
		if date, ok := h["Date"]; !ok || len(date) > 0 || h.Get("Age") != "60" { // net/http omits a Date that is set to nothing
			t.Error(h)
		}
		m.SetFaults(Faults{Cached: 1, CachedBy: time.Hour, CacheHonorsNoCache: true})
		if h := header(true); h.Get("Date") == first || h.Get("Age") != "" {
			t.Errorf("no-cache is not honored: %v", h)
		}
	})
}

func TestCachedResponseWithoutDateOverHTTP(t *testing.T) {
	m := New(Config{Faults: Faults{Cached: 1, CachedBy: time.Hour, CacheOmitsDate: 1}})
	server := httptest.NewServer(m)
	defer server.Close()
	for i := range 2 {
		response, err := http.Get(server.URL + jobs)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if got := response.Header.Get("Date") != ""; got != (i == 0) {
			t.Errorf("response %d: Date %q", i, response.Header.Get("Date"))
		}
	}
}

func TestLaggingReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Seed: 3, Faults: Faults{ReplicaList: 1, ReplicaSingle: 1, ReplicaBy: 2 * time.Minute}})
		job := key(t, lifecycle.Job, VOD, "t", "j")
		distinctStates := func() (states []string) {
			for range 100 {
				_, header, body := request(t, m, http.MethodGet, oneJob, "")
				if header.Get("Date") != m.Now().UTC().Format(http.TimeFormat) {
					t.Fatalf("date %q", header.Get("Date"))
				}
				var o map[string]any
				if err := json.Unmarshal(body, &o); err != nil {
					t.Fatal(err)
				}
				state := ""
				if o["properties"] != nil {
					state = stateOf(o)
				}
				states = append(states, state, stateIn(getJSON(t, m, jobs)))
			}
			slices.Sort(states)
			return slices.Compact(states)
		}
		want := func(states ...string) {
			t.Helper()
			if got := distinctStates(); !slices.Equal(got, states) {
				t.Errorf("%q, want %q", got, states)
			}
		}
		m.Create(job, "Queued")
		first := m.Changes()[0].Life
		want("")
		time.Sleep(time.Minute)
		m.Move(job, "Processing")
		time.Sleep(30 * time.Second)
		m.Move(job, "Finished")
		time.Sleep(30 * time.Second)
		want("Finished", "Processing", "Queued")
		time.Sleep(2 * time.Minute)
		want("Finished")
		m.Delete(job)
		m.Create(job, "Queued")
		want("Finished") // of the deleted life
		if got := getJSON(t, m, oneJob)["systemData"].(map[string]any)["internalId"]; got != first {
			t.Errorf("life %v", got)
		}
		time.Sleep(time.Minute)
		want("Finished", "Queued")
		time.Sleep(time.Minute)
		want("Queued")

		m.SetFaults(Faults{ReplicaList: 1, ReplicaBy: 2 * time.Minute})
		m.Move(job, "Processing")
		if list, one := stateIn(getJSON(t, m, jobs)), stateOf(getJSON(t, m, oneJob)); list != "Queued" || one != "Processing" {
			t.Errorf("list %q, one %q", list, one)
		}

		staleReads := map[string]bool{}
		for _, read := range m.StaleReads() {
			if read.Key != job {
				t.Errorf("stale read of %s", read.Key)
			}
			staleReads[read.Life+" "+read.State] = true
		}
		second := getJSON(t, m, oneJob)["systemData"].(map[string]any)["internalId"].(string)
		for read, want := range map[string]bool{
			first + " Deleted": true, first + " Queued": true, first + " Processing": true, first + " Finished": false,
			second + " Queued": true, second + " Processing": false,
		} {
			if staleReads[read] != want {
				t.Errorf("stale read of %q: %v", read, !want)
			}
		}
	})
}

func TestSetClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Date(2031, 3, 4, 10, 0, 0, 0, time.UTC)
		to := &receiver{status: 204}
		m := New(Config{Start: start, Transport: to, Speed: 60})
		run(t, m)
		m.PutRule(VOD, "all", ruleForAllEvents("https://x.invalid"))
		job := key(t, lifecycle.Job, VOD, "t", "j")
		m.Create(job, "Queued")
		m.Play([]Step{
			{At: start.Add(time.Hour), Do: Move, Key: job, State: "Processing"},
			{At: start.Add(2 * time.Hour), Do: Move, Key: job, State: "Finished"},
		})
		time.Sleep(30 * time.Second)
		m.SetClock(-2 * time.Hour)
		time.Sleep(31 * time.Second)
		m.SetClock(3 * time.Hour)
		<-m.Idle()
		var at []time.Time
		for _, c := range m.Changes() {
			at = append(at, c.At.Truncate(time.Minute))
		}
		if want := []time.Time{start, start.Add(-time.Hour), start.Add(3 * time.Hour)}; !slices.Equal(at, want) {
			t.Errorf("changes at %v", at)
		}
		if changes := m.Changes(); changes[2].RealTime.Sub(changes[0].RealTime).Round(time.Second) != 2*time.Minute {
			t.Errorf("real times: %v", changes)
		}
		_, header, body := request(t, m, http.MethodGet, oneJob, "")
		if date, err := http.ParseTime(header.Get("Date")); err != nil || !date.Equal(start.Add(3*time.Hour)) {
			t.Errorf("date %v", date)
		}
		for _, text := range []string{`"created":"2031-03-04T10:00:00`, `"startTime":"2031-03-04T09:00:0`, `"lastModified":"2031-03-04T13:00:0`} {
			if !strings.Contains(string(body), text) {
				t.Errorf("no %s in %s", text, body)
			}
		}
		for i, want := range []string{"2031-03-04T09:00:0", "2031-03-04T13:00:0"} {
			if got := to.bodies[i]["time"].(string); !strings.HasPrefix(got, want) {
				t.Errorf("delivery %d: %s", i, got)
			}
		}
	})
}

func TestSecondOrganizationAtOneAddress(t *testing.T) {
	mine, theirs := NewToken("mine", time.Time{}), NewToken("theirs", time.Now().Add(time.Hour))
	m := New(Config{Token: mine, Organization: "mine"})
	other := New(Config{Token: theirs, Organization: "theirs"})
	m.AddOrganization(other)
	m.Create(key(t, lifecycle.Asset, VOD, "a"), "Ready")
	other.Create(key(t, lifecycle.Asset, VOD, "b"), "Ready")
	as := func(token, path string) (int, string) {
		r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		m.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	_, here := as(mine, assets)
	_, there := as(theirs, assets)
	for _, text := range []string{`"name":"a"`, OrganizationID("mine")} {
		if !strings.Contains(here, text) || strings.Contains(there, text) {
			t.Errorf("%s: here %s, there %s", text, here, there)
		}
	}
	for _, path := range []string{"/api/v1/projects", "/api/v1/projects/aurora-vod"} {
		_, here := as(mine, path)
		_, there := as(theirs, path)
		if here == there || !strings.Contains(there, `"name":"aurora-vod"`) {
			t.Errorf("%s: here %s, there %s", path, here, there)
		}
	}
	if m.Changes()[0].Life == other.Changes()[0].Life {
		t.Error("two organisations with the same seed share an id")
	}
	if status, _ := as(NewToken("a third", time.Time{}), assets); status != http.StatusUnauthorized {
		t.Errorf("a third organisation's token: %d", status)
	}
	if got := other.Requests(VOD).Gets; got != 2 {
		t.Errorf("the other organisation has counted %d requests", got)
	}
}

func TestRecreatedProject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &receiver{status: 204}
		m := New(Config{Transport: to})
		run(t, m)
		m.PutRule(VOD, "all", ruleForAllEvents("https://x.invalid"))
		job, live := key(t, lifecycle.Job, VOD, "t", "j"), key(t, lifecycle.LiveEvent, Live, "l")
		m.Create(job, "Queued")
		m.Create(live, "Stopped")
		idOf := func() any { return getJSON(t, m, "/api/v1/projects/aurora-vod")["metadata"].(map[string]any)["id"] }
		before := idOf()
		m.RecreateProject(VOD)
		if after := idOf(); after == before {
			t.Errorf("id %v is unchanged", after)
		}
		if got := rowNames(getJSON(t, m, jobs)); got != "" {
			t.Errorf("jobs %s", got)
		}
		if current := m.Current(); len(current) != 1 || current[live].State != "Stopped" {
			t.Errorf("current %v", current)
		}
		if changes := m.Changes(); len(changes) != 2 {
			t.Errorf("recreating a project records changes: %v", changes)
		}
		m.Create(job, "Processing")
		<-m.Idle()
		if len(to.bodies) > 0 {
			t.Errorf("the rule of the old project delivers %v", to.bodies)
		}
		if got := rowNames(getJSON(t, m, jobs)); got != "j" {
			t.Errorf("jobs %q", got)
		}
	})
}

func TestOutageBelowAProject(t *testing.T) {
	m := New(Config{})
	m.Create(key(t, lifecycle.Job, VOD, "t", "j"), "Queued")
	m.Create(key(t, lifecycle.LiveEvent, VOD, "l"), "Running")
	m.Create(key(t, lifecycle.LiveOutput, VOD, "l", "o"), "Running")
	m.PutRule(VOD, "r", ruleForAllEvents("https://x.invalid"))
	const project = "/api/v1/projects/aurora-vod"
	below := []string{
		jobs, oneJob, oneJob + "/state", project + "/media/liveEvents", project + "/media/liveEvents/l/liveOutputs",
		project + "/media/liveEvents/l/liveOutputs/o", project + "/live/search", project + "/webhook/rules", project + "/webhook/rules/r",
	}
	want := func(status int, paths ...string) {
		t.Helper()
		for _, path := range paths {
			got, _, body := request(t, m, http.MethodGet, path, "")
			if got != status || !json.Valid(body) {
				t.Errorf("%s: %d %s", path, got, body)
			}
		}
	}
	want(200, below...)
	m.Outage(VOD, true)
	want(404, below...)
	want(200, project, "/api/v1/projects", "/api/v1/projects/harbor-live/media/jobs")
	if _, _, body := request(t, m, http.MethodGet, oneJob, ""); !strings.Contains(string(body), "Job 'j' was not found.") {
		t.Errorf("%s", body)
	}
	m.SetEmptyLists(VOD, true)
	want(200, jobs, project+"/live/search")
	want(404, oneJob)
	m.SetEmptyLists(VOD, false)
	m.Outage(VOD, false)
	want(200, below...)
	if len(m.Changes()) != 3 || len(m.Current()) != 3 {
		t.Errorf("an outage records changes: %v", m.Changes())
	}
}
