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

// stateOf is the state of a job in its record.
func stateOf(o map[string]any) string { return o["properties"].(map[string]any)["state"].(string) }

// stateIn is the state of the first job of a list; "" where it has none.
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
	seen := map[string]bool{}
	for next, n := assets, 0; next != ""; n++ {
		page := get(t, m, next)
		if got, want := names(page), fmt.Sprint("a", n); got != want {
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
		seen[strings.TrimSuffix(link, u.RequestURI())] = true
		next = u.RequestURI()
	}
	for _, origin := range []string{
		"http://app.mk.io", "https://api-7.northmoor.internal:8080", "https://app.mk.io:8443", "https://app.mk.io:443", "HTTPS://APP.MK.IO",
	} {
		if !seen[origin] {
			t.Errorf("no link leads to %s", origin)
		}
		delete(seen, origin)
	}
	if len(seen) > 0 {
		t.Errorf("links lead to %v", seen)
	}
}

func TestACacheAnswersWithItsCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Faults: Faults{Cached: 1, CachedBy: 20 * time.Minute}})
		job := key(t, lifecycle.Job, VOD, "t", "j")
		if status, _, _ := ask(t, m, http.MethodGet, oneJob, ""); status != http.StatusNotFound {
			t.Fatal(status)
		}
		m.Create(job, "Queued")
		made := m.Now().UTC().Format(http.TimeFormat)
		for path, want := range map[string]int{oneJob: http.StatusNotFound, jobs: http.StatusOK, oneJob + "/state": http.StatusOK} {
			if status, header, _ := ask(t, m, http.MethodGet, path, ""); status != want || header.Get("Age") != map[string]string{oneJob: "0"}[path] {
				t.Errorf("%s: %d, age %q", path, status, header.Get("Age"))
			}
		}
		time.Sleep(10 * time.Minute)
		m.Move(job, "Processing")
		changed := m.Changes()
		for _, path := range []string{oneJob, jobs, oneJob + "/state"} {
			status, header, body := ask(t, m, http.MethodGet, path, "")
			if header.Get("Date") != made || header.Get("Age") != "600" || strings.Contains(string(body), "Processing") {
				t.Errorf("%s: %d, date %q, age %q: %s", path, status, header.Get("Date"), header.Get("Age"), body)
			}
		}
		if !slices.Equal(m.Changes(), changed) {
			t.Error("a copy counts as shown by MK.IO")
		}
		if status, _, _ := ask(t, m, http.MethodGet, jobs+"?$top=5", ""); status != http.StatusOK {
			t.Error(status)
		}
		if o := get(t, m, jobs+"?$top=5"); stateIn(o) != "Processing" {
			t.Error("what the cache does not have is no copy")
		}
		time.Sleep(10*time.Minute + time.Second)
		if got := stateOf(get(t, m, oneJob)); got != "Processing" {
			t.Errorf("%q, from a copy that is too old", got)
		}
	})
}

func TestACacheWithoutAgeOrDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Faults: Faults{Cached: 1, CachedBy: time.Hour}})
		server := httptest.NewUnstartedServer(m) // its handler alone: a bubble has no network
		over := func(noCache bool) http.Header {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodGet, jobs, http.NoBody)
			if noCache {
				r.Header.Set("Cache-Control", "no-cache")
			}
			server.Config.Handler.ServeHTTP(w, r)
			return w.Header()
		}
		first := over(false).Get("Date")
		time.Sleep(time.Minute)
		m.SetFaults(Faults{Cached: 1, CachedBy: time.Hour, Ageless: 1})
		if h := over(false); h.Get("Date") != first || h.Get("Age") != "" {
			t.Error(h)
		}
		m.SetFaults(Faults{Cached: 1, CachedBy: time.Hour, Dateless: 1})
		h := over(true)
		if date, ok := h["Date"]; !ok || len(date) > 0 || h.Get("Age") != "60" { // net/http writes none where it is there and empty
			t.Error(h)
		}
		m.SetFaults(Faults{Cached: 1, CachedBy: time.Hour, CacheObeys: true})
		if h := over(true); h.Get("Date") == first || h.Get("Age") != "" {
			t.Errorf("no-cache is not obeyed: %v", h)
		}
	})
}

func TestACopyWithoutDateOverHTTP(t *testing.T) {
	m := New(Config{Faults: Faults{Cached: 1, CachedBy: time.Hour, Dateless: 1}})
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
			t.Errorf("answer %d: Date %q", i, response.Header.Get("Date"))
		}
	}
}

func TestALaggingReplicaShowsWhatWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Seed: 3, Faults: Faults{ReplicaList: 1, ReplicaOne: 1, ReplicaBy: 2 * time.Minute}})
		job := key(t, lifecycle.Job, VOD, "t", "j")
		shown := func() (states []string) {
			for range 100 {
				_, header, body := ask(t, m, http.MethodGet, oneJob, "")
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
				states = append(states, state, stateIn(get(t, m, jobs)))
			}
			slices.Sort(states)
			return slices.Compact(states)
		}
		want := func(states ...string) {
			t.Helper()
			if got := shown(); !slices.Equal(got, states) {
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
		want("Finished") // of the life that ended
		if got := get(t, m, oneJob)["systemData"].(map[string]any)["internalId"]; got != first {
			t.Errorf("life %v", got)
		}
		time.Sleep(time.Minute)
		want("Finished", "Queued")
		time.Sleep(time.Minute)
		want("Queued")

		m.SetFaults(Faults{ReplicaList: 1, ReplicaBy: 2 * time.Minute})
		m.Move(job, "Processing")
		if list, one := stateIn(get(t, m, jobs)), stateOf(get(t, m, oneJob)); list != "Queued" || one != "Processing" {
			t.Errorf("list %q, one %q", list, one)
		}

		misled := map[string]bool{}
		for _, shown := range m.Misled() {
			if shown.Key != job {
				t.Errorf("%s misled", shown.Key)
			}
			misled[shown.Life+" "+shown.State] = true
		}
		second := get(t, m, oneJob)["systemData"].(map[string]any)["internalId"].(string)
		for said, want := range map[string]bool{
			first + " Deleted": true, first + " Queued": true, first + " Processing": true, first + " Finished": false,
			second + " Queued": true, second + " Processing": false,
		} {
			if misled[said] != want {
				t.Errorf("a replica misled by %q: %v", said, !want)
			}
		}
	})
}

func TestTheClockIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Date(2031, 3, 4, 10, 0, 0, 0, time.UTC)
		to := &receiver{status: 204}
		m := New(Config{Start: start, Transport: to, Speed: 60})
		run(t, m)
		m.PutRule(VOD, "all", everything("https://x.invalid"))
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
		if changes := m.Changes(); changes[2].Moment.Sub(changes[0].Moment).Round(time.Second) != 2*time.Minute {
			t.Errorf("on our clock: %v", changes)
		}
		_, header, body := ask(t, m, http.MethodGet, oneJob, "")
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

func TestASecondOrganisationAtOneAddress(t *testing.T) {
	mine, theirs := NewToken("mine", time.Time{}), NewToken("theirs", time.Now().Add(time.Hour))
	m := New(Config{Token: mine, Organization: "mine"})
	other := New(Config{Token: theirs, Organization: "theirs"})
	m.Beside(other)
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

func TestAProjectMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &receiver{status: 204}
		m := New(Config{Transport: to})
		run(t, m)
		m.PutRule(VOD, "all", everything("https://x.invalid"))
		job, live := key(t, lifecycle.Job, VOD, "t", "j"), key(t, lifecycle.LiveEvent, Live, "l")
		m.Create(job, "Queued")
		m.Create(live, "Stopped")
		idOf := func() any { return get(t, m, "/api/v1/projects/aurora-vod")["metadata"].(map[string]any)["id"] }
		before := idOf()
		m.Anew(VOD)
		if after := idOf(); after == before {
			t.Errorf("id %v as before", after)
		}
		if got := names(get(t, m, jobs)); got != "" {
			t.Errorf("it has %s", got)
		}
		if current := m.Current(); len(current) != 1 || current[live].State != "Stopped" {
			t.Errorf("there are %v", current)
		}
		if changes := m.Changes(); len(changes) != 2 {
			t.Errorf("a change says that something ended: %v", changes)
		}
		m.Create(job, "Processing")
		<-m.Idle()
		if len(to.bodies) > 0 {
			t.Errorf("the rule of the old project delivers %v", to.bodies)
		}
		if got := names(get(t, m, jobs)); got != "j" {
			t.Errorf("it has %q", got)
		}
	})
}

func TestAnOutageBelowAProjectThatAnswers(t *testing.T) {
	m := New(Config{})
	m.Create(key(t, lifecycle.Job, VOD, "t", "j"), "Queued")
	m.Create(key(t, lifecycle.LiveEvent, VOD, "l"), "Running")
	m.Create(key(t, lifecycle.LiveOutput, VOD, "l", "o"), "Running")
	m.PutRule(VOD, "r", everything("https://x.invalid"))
	const project = "/api/v1/projects/aurora-vod"
	below := []string{
		jobs, oneJob, oneJob + "/state", project + "/media/liveEvents", project + "/media/liveEvents/l/liveOutputs",
		project + "/media/liveEvents/l/liveOutputs/o", project + "/live/search", project + "/webhook/rules", project + "/webhook/rules/r",
	}
	want := func(status int, paths ...string) {
		t.Helper()
		for _, path := range paths {
			got, _, body := ask(t, m, http.MethodGet, path, "")
			if got != status || !json.Valid(body) {
				t.Errorf("%s: %d %s", path, got, body)
			}
		}
	}
	want(200, below...)
	m.Outage(VOD, true)
	want(404, below...)
	want(200, project, "/api/v1/projects", "/api/v1/projects/harbor-live/media/jobs")
	if _, _, body := ask(t, m, http.MethodGet, oneJob, ""); !strings.Contains(string(body), "Job 'j' was not found.") {
		t.Errorf("%s", body)
	}
	m.Hollow(VOD, true)
	want(200, jobs, project+"/live/search")
	want(404, oneJob)
	m.Hollow(VOD, false)
	m.Outage(VOD, false)
	want(200, below...)
	if len(m.Changes()) != 3 || len(m.Current()) != 3 {
		t.Errorf("an outage changes nothing: %v", m.Changes())
	}
}
