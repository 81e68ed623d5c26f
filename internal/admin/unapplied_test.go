package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// storeUnapplied stores an unapplied delivery of a job; without a name of no resource.
func (f *fixture) storeUnapplied(reason lifecycle.Reason, project, name, body string) {
	f.t.Helper()
	u := lifecycle.Unapplied{Reason: reason, Detail: "why", Body: []byte(body), Digest: event.Hash([]byte(body)), Length: len(body)}
	if name != "" {
		key, err := lifecycle.NewKey(lifecycle.Job, project, "ladder-hd", name)
		if err != nil {
			f.t.Fatal(err)
		}
		u.Key = &key
	}
	if err := f.publisher.StoreUnapplied(f.t.Context(), u); err != nil {
		f.t.Fatal(err)
	}
}

// getJSON requests a target, checks the status, and decodes the body.
func getJSON[T any](t *testing.T, routes http.Handler, target string, want int) (body T) {
	t.Helper()
	response := serveRequest(routes, http.MethodGet, target, nil)
	if err := json.Unmarshal(response.Body.Bytes(), &body); err != nil || response.Code != want {
		t.Fatalf("%.200s: status %d, want %d, %v: %s", target, response.Code, want, err, response.Body)
	}
	return body
}

// sequencesOf follows the pages of a list of unapplied deliveries.
func sequencesOf(t *testing.T, routes http.Handler, query string) (pages string) {
	t.Helper()
	for after := ""; ; {
		page := getJSON[list[UnappliedItem]](t, routes, "/v1/unapplied?"+query+"&after="+after, http.StatusOK)
		for _, item := range page.Items {
			pages += fmt.Sprint(item.Sequence) + " "
		}
		if after = page.Next; after == "" {
			return strings.TrimSpace(pages)
		}
		pages += "| "
	}
}

func TestUnappliedPages(t *testing.T) {
	f := setUp(t)
	f.storeUnapplied(lifecycle.ReasonMalformed, "", "", "no JSON")
	f.storeUnapplied(lifecycle.ReasonLate, "vod", "a", `{"n":1}`)
	f.storeUnapplied(lifecycle.ReasonConflict, "vod", "b", `{"n":2}`)
	f.storeUnapplied(lifecycle.ReasonLate, "live", "a", `{"n":3}`)
	if _, err := f.js.Publish(t.Context(), names.UnappliedPrefix()+".late.x", []byte("not of a bridge")); err != nil {
		t.Fatal(err)
	}
	routes := f.routes()
	for query, want := range map[string]string{
		"":                         "1 2 3 4",
		"limit=3":                  "1 2 3 | 4",
		"limit=1":                  "1 | 2 | 3 | 4",
		"limit=4":                  "1 2 3 4",
		"limit=1&since=1h":         "1 | 2 | 3 | 4",
		"limit=1&reason=late":      "2 | 4",
		"reason=malformed,+late":   "1 2 4",
		"kind=job&project=vod":     "2 3",
		"name=a":                   "2 4",
		"since=2100-01-01":         "",
		"until=1h":                 "",
		"kind=asset":               "",
		"limit=1&until=2100-01-01": "1 | 2 | 3 | 4",
	} {
		if got := sequencesOf(t, routes, query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	body := serveRequest(routes, http.MethodGet, "/v1/unapplied", nil).Body.String()
	if !strings.Contains(body, `"foreign":1`) || strings.Contains(body, "no JSON") {
		t.Errorf("list %s", body)
	}
	if err := f.publisher.DeleteUnapplied(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	first := getJSON[list[UnappliedItem]](t, routes, "/v1/unapplied?limit=1", http.StatusOK)
	if item := first.Items[0]; item.Resource != "job.vod.ladder-hd.a" || item.Kind != lifecycle.Job || item.Project != "vod" || strings.Join(item.Path, " ") != "ladder-hd a" {
		t.Errorf("item %+v", item)
	}
	if err := f.publisher.DeleteUnapplied(t.Context(), 2); err != nil { // the cursor's own
		t.Fatal(err)
	}
	if rest := getJSON[list[UnappliedItem]](t, routes, "/v1/unapplied?after="+first.Next, http.StatusOK); len(rest.Items) != 2 {
		t.Errorf("after a deleted delivery: %+v", rest)
	}
}

func TestOneUnappliedDelivery(t *testing.T) {
	f := setUp(t)
	f.storeUnapplied(lifecycle.ReasonMalformed, "", "", " <script>")
	f.storeUnapplied(lifecycle.ReasonLate, "vod", "a", `{ "n": 12345678901234567890 }`)
	f.storeUnapplied(lifecycle.ReasonMalformed, "", "", "\xff")
	if _, err := f.js.Publish(t.Context(), names.UnappliedPrefix()+".late.x", []byte("not of a bridge")); err != nil {
		t.Fatal(err)
	}
	routes := f.routes()
	for target, want := range map[string]string{
		"/v1/unapplied/1": `"cut":false,"body":" <script>"}`, "/v1/unapplied/2": `"body":{"n":12345678901234567890}}`, "/v1/unapplied/3": `"bodyBase64":"/w=="}`,
	} {
		if body := serveRequest(routes, http.MethodGet, target, nil).Body.String(); !strings.HasSuffix(strings.TrimSpace(body), want) {
			t.Errorf("%s: %s", target, body)
		}
	}
	raw := serveRequest(routes, http.MethodGet, "/v1/unapplied/2?raw=true", nil)
	if raw.Body.String() != `{ "n": 12345678901234567890 }` || raw.Header().Get("Content-Type") != "application/octet-stream" || raw.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("raw: %s, %v", raw.Body, raw.Header())
	}
	for target, want := range map[string]int{
		"/v1/unapplied/9": 404, "/v1/unapplied/4": 422, "/v1/unapplied/0": 400, "/v1/unapplied/x": 400, "/v1/unapplied/1?raw=1": 400, "/v1/unapplied/1?limit=1": 400,
	} {
		if response := serveRequest(routes, http.MethodGet, target, nil); response.Code != want {
			t.Errorf("%s: status %d, want %d: %s", target, response.Code, want, response.Body)
		}
	}
}

func TestPagesAreRefused(t *testing.T) {
	f := setUp(t)
	routes := f.routes()
	bounds, err := f.Events.UnappliedBounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cursorOf := func(stream, identity, after string) string {
		return cursor{Stream: stream, Identity: identity, After: after}.String()
	}
	for _, tt := range []struct {
		query string
		want  int
		text  string
	}{
		{"limit=1000000000", 400, "limit: \"1000000000\" must be a number from 1 to 1000"},
		{"limit=0", 400, "from 1 to 1000"},
		{"limit=-1", 400, "from 1 to 1000"},
		{"limit=" + strings.Repeat("9", 1<<20), 400, "from 1 to 1000"},
		{"after=x", 400, "not a cursor"},
		{"after=" + strings.Repeat("A", 1<<20), 400, "not a cursor"},
		{"after=" + cursorOf("MKIO_EVENTS", bounds.Identity, "1"), 400, "of a list of"},
		{"after=" + cursorOf(bounds.Stream, eventlog.Bounds{}.Identity, "1"), 400, "another MKIO_UNAPPLIED"},
		{"after=" + cursorOf(bounds.Stream, bounds.Identity, "x"), 400, "not a sequence"},
		{"after=" + cursorOf(bounds.Stream, bounds.Identity, "1"), 416, "past the end of MKIO_UNAPPLIED"},
		{"after=" + cursorOf(bounds.Stream, bounds.Identity, "99999999999999999999"), 416, "past the end"},
		{"reason=lost", 400, "reasons are late"},
		{"reasn=late", 400, "the nearest is reason"},
		{strings.Repeat("x", 1<<20), 400, "unknown parameter"},
		{"kind=cassette", 400, "unknown kind"},
	} {
		response := httptest.NewRecorder()
		routes.ServeHTTP(response, &http.Request{Method: http.MethodGet, Host: adminHost, URL: &url.URL{Path: "/v1/unapplied", RawQuery: tt.query}})
		if body := strings.ReplaceAll(response.Body.String(), `\"`, `"`); response.Code != tt.want || !strings.Contains(body, tt.text) || len(body) > 1000 {
			t.Errorf("%.60s: status %d, want %d and %q: %.1000s", tt.query, response.Code, tt.want, tt.text, body)
		}
	}
}
