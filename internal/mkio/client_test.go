package mkio

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// api is MK.IO's API as one handler that is called without a network.
type api http.HandlerFunc

func (a api) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	a(w, r)
	return w.Result(), nil
}

const testToken = "REDACT-ME-token"

func newTestClient(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	c, err := NewClient(ClientConfig{
		BaseURL: "https://mkio.test/base/", Token: func() string { return testToken }, PerMinute: 1000, Transport: api(handler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// walk returns the names of the resources on all pages of a list; with an error those before it.
func walk(t *testing.T, c *Client, kind lifecycle.Kind) ([]string, error) {
	t.Helper()
	l := Lists("aurora-vod", []lifecycle.Kind{kind})[0]
	pages, ok := c.Pages(l, Filter{})
	if !ok {
		t.Fatal("no path")
	}
	var names []string
	for pages.More() {
		page, err := pages.Next(t.Context(), Sweeps, l)
		if err != nil {
			return names, err
		}
		for _, row := range page.Rows {
			names = append(names, row.Key.Name())
		}
	}
	return names, nil
}

func assetPage(name, link string) string {
	next := ""
	if link != "" {
		next = fmt.Sprintf(`, "@odata.nextLink": %q`, link)
	}
	return fmt.Sprintf(`{"value": [{"name": %q}], "supplemental": {"pagination": {"start": 0, "end": 1}}%s}`, name, next)
}

func TestNextLinks(t *testing.T) {
	const path = "/base/api/v1/projects/aurora-vod/media/assets"
	tests := []struct{ name, link string }{
		{"relative", "/api/v1/projects/aurora-vod/media/assets?%24skiptoken=1"},
		{"relative, with the base path", path + "?$skiptoken=1"},
		{"query alone", "?$skiptoken=1"},
		{"absolute", "https://mkio.test" + path + "?$skiptoken=1"},
		{"encoded as a whole", "%2Fapi%2Fv1%2Fprojects%2Faurora-vod%2Fmedia%2Fassets%3F%24skiptoken%3D1"},
		{"unreadable", "%zz?"},
		{"of another list", "/api/v1/projects/harbor-live/live/liveEvents?$skiptoken=1"},
		{"above the base path", "/base/../admin?$skiptoken=1"},
		{"above it, encoded", "/base/%2e%2e/admin?$skiptoken=1"},
		{"above it, by a name that only begins like it", "/basement/?$skiptoken=1"},
		{"another host", "https://evil.test" + path + "?$skiptoken=1"},
		{"another port", "https://mkio.test:8443" + path + "?$skiptoken=1"},
		{"a host behind a user", "https://mkio.test@evil.test" + path + "?$skiptoken=1"},
		{"a host behind backslashes", `\\evil.test\x?$skiptoken=1`},
		{"a file", "file:///etc/passwd?$skiptoken=1"},
		{"no hierarchy", "javascript:alert(1)?$skiptoken=1"},
		{"another host, encoded as a whole", "https%3A%2F%2Fevil.test%2Fx%3F%24skiptoken%3D1"},
		{"another scheme", "http://mkio.test" + path + "?$skiptoken=1"},
		{"another host without a scheme", "//evil.test/x?$skiptoken=1"},
		{"another host, in capitals", "HTTPS://MKIO.TEST" + path + "?$skiptoken=1"},
		{"the default port", "https://mkio.test:443" + path + "?$skiptoken=1"},
		{"an invalid port", "https://mkio.test:http" + path + "?$skiptoken=1"},
		{"a fragment", path + "?$skiptoken=1#next"},
		{"without the offset", path + "?$top=1000"},
		{"without a query", path},
		{"a user", "https://me@mkio.test" + path + "?$skiptoken=1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != path || r.URL.Host != "mkio.test" || r.Header.Get("Authorization") != "Bearer "+testToken {
					t.Errorf("request to %s", r.URL)
				}
				if r.URL.Query().Get("$skiptoken") == "1" {
					fmt.Fprint(w, assetPage("b", ""))
					return
				}
				fmt.Fprint(w, assetPage("a", tt.link))
			})
			names, err := walk(t, c, lifecycle.Asset)
			if err != nil || strings.Join(names, "") != "ab" {
				t.Errorf("names %q, %v", names, err)
			}
		})
	}
}

func TestCircularNextLinksFail(t *testing.T) {
	requests := 0
	c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
		requests++
		fmt.Fprint(w, assetPage("a", "?$skiptoken=1"))
	})
	if _, err := walk(t, c, lifecycle.Asset); err == nil || requests > 2 {
		t.Errorf("%d requests, %v", requests, err)
	}
}

func TestListWithoutValuesFails(t *testing.T) {
	for _, body := range []string{`{}`, `{"value": null}`, `{"value": {}}`, `[]`, `<html>`, ``} {
		c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
		if names, err := walk(t, c, lifecycle.Asset); err == nil {
			t.Errorf("%q is read as %q", body, names)
		}
	}
}

func TestAPIErrors(t *testing.T) {
	tests := []struct {
		file     string
		status   int
		genuine  bool
		want     string
		notFound bool
	}{
		{"errors/401.json", 401, true, "ref ", false},
		{"errors/403.json", 403, true, "ref ", false},
		{"errors/404.json", 404, true, "was not found", true},
		{"errors/404.no-extra-detail.json", 404, true, "404", true},
		{"errors/400.json", 400, true, "400", false},
		{"gateway page", 404, false, "not JSON", false},
		{"string error", 404, true, "gone", true},
		{"status of another response", 404, false, "404", false},
	}
	bodies := map[string]string{
		"gateway page": "<html><b>404</b></html>", "string error": `{"error":"gone"}`,
		"status of another response": `{"error":{"code":"x"},"status":500}`,
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			body, ok := bodies[tt.file]
			if !ok {
				body = string(readFile(t, tt.file))
			}
			c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				fmt.Fprint(w, body)
			})
			key, _ := lifecycle.NewKey(lifecycle.Asset, "p", "a b")
			_, err := c.Get(t.Context(), Urgent, key)
			api, ok := errors.AsType[*APIError](err)
			if !ok || api.Status != tt.status || api.Genuine != tt.genuine || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v (genuine %v)", err, ok && api.Genuine)
			}
			if IsNotFound(err) != tt.notFound || StatusOf(err) != tt.status {
				t.Errorf("not found %v, status %d", IsNotFound(err), StatusOf(err))
			}
			if !strings.Contains(err.Error(), "/api/v1/projects/p/media/assets/a%20b") {
				t.Errorf("the error does not name the path: %v", err)
			}
		})
	}
}

func TestTransientErrorsAreRetried(t *testing.T) {
	tests := []struct {
		name       string
		fail       func(w http.ResponseWriter)
		atLeast    time.Duration
		triesUntil int
	}{
		{"overloaded", func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }, 0, 3},
		{"too many requests", func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) }, 0, 3},
		{"with Retry-After in seconds", func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "40")
			w.WriteHeader(http.StatusTooManyRequests)
		}, 80 * time.Second, 3},
		{"with Retry-After as a date", func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", time.Now().Add(40*time.Second).UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusServiceUnavailable)
		}, 78 * time.Second, 3},
		{"permanently failing", func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) }, 0, maxTries + 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				requests := 0
				c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
					if requests++; requests < tt.triesUntil {
						tt.fail(w)
						return
					}
					fmt.Fprint(w, `{"status":{"state":"Ready"}}`)
				})
				key, _ := lifecycle.NewKey(lifecycle.Asset, "p", "a")
				began := time.Now()
				state, _, err := c.State(t.Context(), Urgent, key)
				if tt.triesUntil > maxTries {
					if StatusOf(err) != 500 || requests != maxTries {
						t.Errorf("%d tries, %v", requests, err)
					}
					return
				}
				if err != nil || state != "Ready" || time.Since(began) < tt.atLeast || time.Since(began) > 2*time.Minute {
					t.Errorf("state %q after %s, %v", state, time.Since(began), err)
				}
			})
		})
	}
}

// After the last try fails with a Retry-After, the project's next request waits for it.
func TestRetryAfterOfTheLastTryPausesTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last time.Time
		c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
			if !last.IsZero() && time.Since(last) < time.Minute {
				t.Errorf("retried after %s", time.Since(last))
			}
			last = time.Now()
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusTooManyRequests)
		})
		key, _ := lifecycle.NewKey(lifecycle.Asset, "p", "a")
		for range 2 {
			if _, _, err := c.State(t.Context(), Urgent, key); StatusOf(err) != http.StatusTooManyRequests {
				t.Errorf("error %v", err)
			}
		}
	})
}

// Redirects are not followed, whatever their kind and wherever they lead.
func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("request to another host: %s with %q", r.URL, r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, location := range []string{elsewhere.URL, elsewhere.URL + "/api/v1/projects", "//" + elsewhere.Listener.Addr().String(), "/api/v1/projects/"} {
			requests := 0
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests++
				w.Header().Set("Location", location)
				w.Header().Set("Refresh", "0; url="+location)
				w.WriteHeader(status)
			}))
			c, err := NewClient(ClientConfig{BaseURL: api.URL, Token: func() string { return testToken }, PerMinute: 1000})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Projects(t.Context())
			api.Close() // waits for requests in flight
			if StatusOf(err) != status || requests != 1 || strings.Contains(fmt.Sprint(err), testToken) {
				t.Errorf("%d to %s: %d requests, error %v", status, location, requests, err)
			}
		}
	}
}

// The fixtures of all documented lists are read, with every row.
func TestRowsOfLists(t *testing.T) {
	parents := map[string]lifecycle.Key{}
	for file, kind := range map[string]lifecycle.Kind{"live-outputs": lifecycle.LiveEvent, "scheduled-operations": lifecycle.LiveAPIEvent} {
		parents[file], _ = lifecycle.NewKey(kind, "harbor-live", "parent")
	}
	tests := map[string]struct {
		kind lifecycle.Kind
		want string
	}{
		"assets.page-1":               {lifecycle.Asset, "asset aurora-vod/ep-0417-src"},
		"content-key-policies.page-1": {lifecycle.ContentKeyPolicy, "content-key-policy aurora-vod/drm-family"},
		"jobs.project-wide.page-1":    {lifecycle.Job, "job aurora-vod/ladder-hd/ep-0417 Queued"},
		"jobs.project-wide.page-last": {lifecycle.Job, "job aurora-vod/"},
		"live-search.page-last":       {lifecycle.LiveChannel, "static-multiview-event aurora-vod/derby-quad Running"},
		"media-live-events.page-1":    {lifecycle.LiveEvent, "live-event aurora-vod/"},
		"sources.page-1":              {lifecycle.Source, "source aurora-vod/truck-a Active"},
		"streaming-endpoints.page-1":  {lifecycle.StreamingEndpoint, "streaming-endpoint aurora-vod/edge-main Running"},
		"streaming-locators.page-1":   {lifecycle.StreamingLocator, "streaming-locator aurora-vod/"},
		"live-outputs.page-1":         {lifecycle.LiveOutput, "live-output harbor-live/parent/regatta-dvr Running"},
		"scheduled-operations.page-1": {lifecycle.ScheduledOperation, "scheduled-operation harbor-live/live-api-event/parent/kickoff-window Accepted"},
	}
	for file, tt := range tests {
		t.Run(file, func(t *testing.T) {
			c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write(readFile(t, "lists/"+file+".json"))
			})
			var l List
			if parent, ok := parents[strings.TrimSuffix(file, ".page-1")]; ok {
				l, _ = ListBelow(parent)
			} else {
				kinds := []lifecycle.Kind{tt.kind}
				if tt.kind == lifecycle.LiveChannel {
					kinds = liveKinds
				}
				l = Lists("aurora-vod", kinds)[0]
			}
			pages, _ := c.Pages(l, Filter{})
			page, err := pages.Next(t.Context(), Sweeps, l)
			if err != nil || page.Unreadable > 0 || len(page.Rows) == 0 {
				t.Fatalf("%d rows, %d unreadable, %v", len(page.Rows), page.Unreadable, err)
			}
			first := page.Rows[0]
			o := first.Observation()
			if got := strings.TrimSpace(first.Key.String() + " " + o.State); !strings.HasPrefix(got, tt.want) {
				t.Errorf("the first row is %q, want %q", got, tt.want)
			}
			if first.HasState == l.Stateless() || o.Life == "" {
				t.Errorf("has a state: %v, life %q", first.HasState, o.Life)
			}
			if first.AddRecord(&o); o.Resource == nil || strings.Contains(string(o.Resource), "@fixtures") {
				t.Errorf("record %s, %v", o.Resource, err)
			}
		})
	}
}

func TestTokenExpiry(t *testing.T) {
	jwt := func(claims string) string { return "h." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".s" }
	want := time.Date(2032, 1, 1, 0, 0, 0, 0, time.UTC)
	if got, ok := TokenExpiry(jwt(fmt.Sprintf(`{"exp":%d}`, want.Unix()))); !ok || !got.Equal(want) {
		t.Errorf("ends %s, %v", got, ok)
	}
	for _, token := range []string{"", "a.b.c", "opaque", jwt(`{}`), jwt(`{"exp":"x"}`), jwt(`{"exp":1e300}`), jwt(`{"exp":-1}`)} {
		if got, ok := TokenExpiry(token); ok {
			t.Errorf("%q ends %s", token, got)
		}
	}
}
