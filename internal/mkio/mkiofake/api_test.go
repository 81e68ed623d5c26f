package mkiofake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/lifecycle"
)

func key(t testing.TB, kind lifecycle.Kind, project string, names ...string) lifecycle.Key {
	t.Helper()
	k, err := lifecycle.NewKey(kind, project, names...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// request sends a request without a network.
func request(t testing.TB, m *MKIO, method, path, body string) (int, http.Header, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, "https://app.mk.io"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer secret")
	response, err := m.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(response.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, got
}

// getJSON returns the JSON of a GET that must succeed.
func getJSON(t testing.TB, m *MKIO, path string) map[string]any {
	t.Helper()
	status, _, body := request(t, m, http.MethodGet, path, "")
	var o map[string]any
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&o); err != nil || status != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, status, body)
	}
	return o
}

// rowNames returns the names of a list's rows.
func rowNames(o map[string]any) string {
	var all []string
	for _, row := range o["value"].([]any) {
		row := row.(map[string]any)
		name, ok := row["name"].(string)
		if !ok {
			name = row["metadata"].(map[string]any)["name"].(string)
		}
		all = append(all, name)
	}
	return strings.Join(all, " ")
}

// run runs a simulation until the test ends.
func run(t testing.TB, m *MKIO) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = m.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
}

func TestListFiltersOrderAndPages(t *testing.T) {
	m := New(Config{Start: time.Date(2031, 3, 4, 10, 0, 0, 0, time.UTC), PageSize: 3})
	for _, name := range []string{"a", "b.c d", "é", "o'neil", "z"} {
		m.Create(key(t, lifecycle.Job, VOD, "ladder/hd", name), "Queued")
	}
	m.Create(key(t, lifecycle.Job, VOD, "other", "a"), "Queued")
	m.Move(key(t, lifecycle.Job, VOD, "ladder/hd", "é"), "Processing")
	const jobs = "/api/v1/projects/aurora-vod/media/jobs"
	for query, want := range map[string]string{
		"?$filter=properties/state%20eq%20'Processing'":                              "é",
		"?$filter=name%20eq%20'o''neil'":                                             "o'neil",
		"?$filter=transform%20eq%20'other'%20and%20created%20gt%202031-03-04T10:00Z": "",
		"?$filter=properties/lastModified%20lt%202031-03-04T10:00:00Z":               "",
		"?$top=2&$orderby=properties/lastModified%20desc":                            "é a",
		"?$top=2&$skiptoken=5":                                                       "a",
		"?$top=1000":                                                                 "a b.c d é",
		"?$orderby=transform%20desc,name&$top=2":                                     "a a",
	} {
		status, _, body := request(t, m, http.MethodGet, jobs+query, "")
		if strings.Contains(query, "T10:00Z") {
			if status != http.StatusBadRequest {
				t.Errorf("%s: %d", query, status)
			}
			continue
		}
		if got := rowNames(getJSON(t, m, jobs+query)); got != want {
			t.Errorf("%s: %q, want %q: %s", query, got, want, body)
		}
	}
	for _, query := range []string{
		"$filter=properties/resourceState%20eq%20'x'", "$filter=name%20ne%20'x'", "$filter=name%20eq%20x", "$filter=name",
		"$orderby=foo", "$orderby=name%20up", "$top=-1", "$skiptoken=x",
	} {
		if status, _, body := request(t, m, http.MethodGet, jobs+"?"+query, ""); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
	var all []string
	for next := jobs + "?$top=2&$orderby=name%20asc&$filter=created%20ge%202031-01-01T00:00:00Z"; next != ""; {
		page := getJSON(t, m, next)
		all = append(all, rowNames(page))
		next, _ = page["@odata.nextLink"].(string)
		if next != "" && !strings.HasPrefix(next, jobs+"?%24filter=created%20ge%202031-01-01T00%3A00%3A00Z&%24orderby=name%20asc&%24") {
			t.Errorf("next link %s", next)
		}
	}
	if got := strings.Join(all, "|"); got != "a a|b.c d o'neil|z é" {
		t.Errorf("pages %s", got)
	}
	if got := rowNames(getJSON(t, m, "/api/v1/projects/aurora-vod/media/transforms/ladder%2Fhd/jobs?$top=2")); got != "a b.c d" {
		t.Errorf("of one transform: %s", got)
	}
	if o := getJSON(t, m, "/api/v1/projects/aurora-vod/media/transforms/ladder%2Fhd/jobs/b.c%20d"); o["name"] != "b.c d" {
		t.Errorf("single %v", o)
	}
}

func TestRefusedRequestsAndMissingResources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Token: "secret", ReadLimit: 20})
		asset := key(t, lifecycle.Asset, VOD, "a")
		m.Create(asset, "Pending")
		const path = "/api/v1/projects/aurora-vod/media/assets/a/state"
		want := func(status int) {
			t.Helper()
			if got, _, body := request(t, m, http.MethodGet, path, ""); got != status {
				t.Errorf("%d, want %d: %s", got, status, body)
			}
		}
		want(200)
		m.SetToken("other")
		want(401)
		m.SetToken("secret")
		m.Revoke(true)
		want(401)
		m.Revoke(false)
		m.Forbid(VOD, lifecycle.Asset, true)
		want(403)
		m.Forbid(VOD, lifecycle.Asset, false)
		m.SetHidden(VOD, true)
		want(404)
		m.SetHidden(VOD, false)
		m.Delete(asset)
		want(404)
		m.Create(asset, "Ready")
		want(200)
		for m.Requests(VOD).Gets < 20 {
			want(200)
		}
		want(429)
		time.Sleep(time.Minute)
		want(200)
		r := m.Requests(VOD)
		if r.Limited != 1 || r.MostGetsPerMinute != 21 || r.Gets != 22 || r.ByRoute["GET media/assets/{}/state"] != 22 {
			t.Errorf("requests %+v", r)
		}
		var lives []string
		for _, c := range m.Changes() {
			lives = append(lives, c.State)
			if c.State == "Ready" && c.Shown < 10 {
				t.Errorf("shown %d times", c.Shown)
			}
		}
		if strings.Join(lives, " ") != "Pending Deleted Ready" || len(m.Current()) != 1 {
			t.Errorf("changes %v, current %v", lives, m.Current())
		}
	})
}
