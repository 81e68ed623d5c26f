package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/openapitest"
)

const (
	adminTokenForTest  = "3b2f9d7c5e1a8f64-admin"
	viewerTokenForTest = "3b2f9d7c5e1a8f64-viewer"
)

// bridgeWithTokens opens a bridge with an admin token, a viewer token and profiles.
func bridgeWithTokens(t *testing.T) *bridge {
	t.Helper()
	return openWith(t, func(c *config) {
		c.Pprof, c.transport = true, noMKIO{}
		for value, setting := range map[string]*secret{adminTokenForTest: &c.AdminToken, viewerTokenForTest: &c.ViewerToken} {
			if err := setting.Decode(value); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// noMKIO is a network without MK.IO.
type noMKIO struct{}

func (noMKIO) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no network in this test")
}

// sessionForTest makes a session's cookie as docs/http-api.md describes it, not with the code that makes it.
func sessionForTest(server *httptest.Server, role, token string, expires time.Time) *http.Cookie {
	address, err := url.Parse(server.URL)
	if err != nil {
		panic(err)
	}
	text := fmt.Sprintf("v1.%d.%s", expires.Unix(), role)
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte(text))
	return &http.Cookie{Name: "mkio-bridge-session-" + address.Port(), Value: text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))}
}

// A client is how a request of the access table presents itself.
type accessClient struct {
	name string
	use  func(*http.Request, *httptest.Server)
}

var accessClients = []accessClient{
	{"no token", func(*http.Request, *httptest.Server) {}},
	{"viewer", func(r *http.Request, _ *httptest.Server) { r.Header.Set("Authorization", "Bearer "+viewerTokenForTest) }},
	{"admin", func(r *http.Request, _ *httptest.Server) { r.Header.Set("Authorization", "Bearer "+adminTokenForTest) }},
	{"viewer's session", func(r *http.Request, s *httptest.Server) {
		r.AddCookie(sessionForTest(s, "viewer", viewerTokenForTest, time.Now().Add(time.Hour)))
	}},
	{"admin's session", func(r *http.Request, s *httptest.Server) {
		r.AddCookie(sessionForTest(s, "admin", adminTokenForTest, time.Now().Add(time.Hour)))
	}},
	{"expired session", func(r *http.Request, s *httptest.Server) {
		r.AddCookie(sessionForTest(s, "admin", adminTokenForTest, time.Now().Add(-time.Second)))
	}},
	{"session of a rotated token", func(r *http.Request, s *httptest.Server) {
		r.AddCookie(sessionForTest(s, "admin", "the-token-of-yesterday", time.Now().Add(time.Hour)))
	}},
	{"foreign origin, admin", func(r *http.Request, _ *httptest.Server) {
		r.Header.Set("Authorization", "Bearer "+adminTokenForTest)
		r.Header.Set("Origin", "https://page.test")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
	}},
}

// access has the status for each client, in the order of accessClients.
type access [8]int

// everyone is the access of an endpoint without a role.
func everyone(status int) access {
	return access{status, status, status, status, status, status, status, status}
}

// viewers is the access of an endpoint that viewers may read.
func viewers(status int) access { return access{401, status, status, status, status, 401, 401, status} }

// viewersWrite is the access of an endpoint that viewers may use, with an unsafe method.
func viewersWrite(status int) access {
	return access{401, status, status, status, status, 401, 401, 403}
}

// admins and adminsWrite are the accesses of endpoints for admins only.
func admins(status int) access {
	return access{401, 403, status, 403, status, 401, 401, status}
}

func adminsWrite(status int) access {
	return access{401, 403, status, 403, status, 401, 401, 403}
}

// accessTable has a request for each route of the admin listener, and how each client is answered.
var accessTable = map[string]struct {
	target string
	want   access
}{
	"GET /livez":          {"/livez", everyone(200)},
	"GET /readyz":         {"/readyz", everyone(200)},
	"GET /metrics":        {"/metrics", everyone(200)},
	"GET /schemas/{name}": {"/schemas/event.schema.json", everyone(200)},
	"/":                   {"/consoles", everyone(404)},

	"GET /{$}":               {"/", everyone(302)},
	"GET /console":           {"/console", everyone(302)},
	"GET /console/{file...}": {"/console/", everyone(200)},

	"GET /v1/resources":                            {"/v1/resources", viewers(200)},
	"GET /v1/resources/{kind}/{project}/{name...}": {"/v1/resources/job/aurora-vod/ladder-hd/nobody", viewers(404)},
	"GET /v1/events":                               {"/v1/events?from=1", viewers(200)},
	"POST /v1/unapplied/{sequence}/retry":          {"/v1/unapplied/4711/retry", adminsWrite(404)},
	"GET /v1/unapplied":                            {"/v1/unapplied", viewers(200)},
	"GET /v1/unapplied/{sequence}":                 {"/v1/unapplied/4711", viewers(404)},
	"GET /v1/status":                               {"/v1/status", viewers(200)},
	"GET /v1/audit":                                {"/v1/audit", viewers(200)},
	"GET /v1/notify":                               {"/v1/notify", viewers(200)},
	"GET /v1/evidence":                             {"/v1/evidence", viewers(200)},
	"GET /v1/config":                               {"/v1/config", viewers(200)},
	"POST /v1/verify":                              {"/v1/verify", viewersWrite(202)},
	"POST /v1/doctor":                              {"/v1/doctor", adminsWrite(202)},
	"GET /v1/jobs":                                 {"/v1/jobs", viewers(200)},
	"GET /v1/jobs/{id}":                            {"/v1/jobs/verify-4711-0123abcd", viewers(404)},
	"GET /v1/log-level":                            {"/v1/log-level", viewers(200)},
	"PUT /v1/log-level":                            {"/v1/log-level", adminsWrite(400)},

	"GET /v1/session":    {"/v1/session", viewers(200)},
	"POST /v1/session":   {"/v1/session", access{401, 200, 200, 403, 403, 401, 401, 403}}, // a session begins no session
	"DELETE /v1/session": {"/v1/session", access{204, 204, 204, 204, 204, 204, 204, 403}},

	"GET /debug/pprof/":        {"/debug/pprof/cmdline", admins(404)},
	"GET /debug/pprof/profile": {"/debug/pprof/profile?seconds=1", admins(200)},
	"GET /debug/pprof/trace":   {"/debug/pprof/trace?seconds=0.01", admins(200)},
}

// recordedRoutes is a mux that only records the patterns.
type recordedRoutes []string

func (r *recordedRoutes) Handle(pattern string, _ http.Handler) { *r = append(*r, pattern) }

// Every route that is registered is in the table, with its answer to every client.
func TestAccess(t *testing.T) {
	b := bridgeWithTokens(t)
	server := httptest.NewServer(openapitest.Check(b.adminRoutes(false)))
	t.Cleanup(server.Close)
	server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	var registered recordedRoutes
	b.registerAdminRoutes(&registered, false)
	for pattern := range accessTable {
		if !slices.Contains(registered, pattern) {
			t.Errorf("%s is in the table, but not registered", pattern)
		}
	}
	for _, pattern := range registered {
		row, ok := accessTable[pattern]
		if !ok {
			t.Errorf("%s is registered, but not in the table", pattern)
			continue
		}
		method, _, _ := strings.Cut(pattern, " ")
		if method == pattern {
			method = http.MethodGet
		}
		for i, client := range accessClients {
			t.Run(pattern+", "+client.name, func(t *testing.T) {
				request, err := http.NewRequestWithContext(t.Context(), method, server.URL+row.target, nil)
				if err != nil {
					t.Fatal(err)
				}
				client.use(request, server)
				response, err := server.Client().Do(request)
				if err != nil {
					t.Fatal(err)
				}
				response.Body.Close()
				if response.StatusCode != row.want[i] {
					t.Errorf("status %d, want %d", response.StatusCode, row.want[i])
				}
				if wantsToken := response.StatusCode == http.StatusUnauthorized; wantsToken != (response.Header.Get("WWW-Authenticate") != "") {
					t.Errorf("status %d with WWW-Authenticate %q", response.StatusCode, response.Header.Get("WWW-Authenticate"))
				}
				checkSecured(t, response.Header)
			})
		}
	}
}
