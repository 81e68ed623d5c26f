package admin

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestUnknownParametersAreRefused(t *testing.T) {
	routes := routesOf(configWithoutLog())
	for _, tt := range []struct{ method, target, want string }{
		{http.MethodGet, "/v1/resources?knid=job", `unknown parameter "knid"; the nearest is kind (parameters are kind, project, name, state, phase, via, stuck, olderThan, view, limit, after)`},
		{http.MethodGet, "/v1/resources?stuck=perhaps", "stuck: "},
		{http.MethodGet, "/v1/resources?kind=job&Project=aurora-vod", "the nearest is project"},
		{http.MethodGet, "/v1/resources?since=1h", `unknown parameter "since"`},
		{http.MethodGet, "/v1/resources?kind=job&kind=asset", "kind occurs 2 times"},
		{http.MethodGet, "/v1/resources?kind=%zz", "invalid query"},
		{http.MethodGet, "/v1/resources?kind=job;project=x", "invalid query"},
		{http.MethodGet, "/v1/resources?phase=done", "phases are initial, "},
		{http.MethodGet, "/v1/resources?" + strings.Repeat("x", 10_000), `unknown parameter "xxx`},
		{http.MethodGet, "/v1/events?phaze=ready", "the nearest is phase"},
		{http.MethodGet, "/v1/events?form=1", "the nearest is from"},
		{http.MethodGet, "/v1/resources/job/aurora-vod/ladder-hd/ep-0417?state=x", "has no parameters"},
		{http.MethodPost, "/v1/unapplied/1/retry?dryrun=true", "the nearest is dryRun"},
		{http.MethodGet, "/v1/log-level?level=debug", "has no parameters"},
		{http.MethodPut, "/v1/log-level?level=debug", "has no parameters"},
	} {
		response := serveRequestWithTimeout(t, routes, tt.method, tt.target)
		body := strings.ReplaceAll(response.Body.String(), `\"`, `"`)
		if response.Code != http.StatusBadRequest || !strings.Contains(body, tt.want) || len(body) > 1000 {
			t.Errorf("%s %.60s: status %d, want %q: %.1000s", tt.method, tt.target, response.Code, tt.want, body)
		}
	}
}

// serveRequestWithTimeout is serveRequest for responses that may not end by themselves.
func serveRequestWithTimeout(t *testing.T, routes http.Handler, method, target string) *httptest.ResponseRecorder {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	response := httptest.NewRecorder()
	routes.ServeHTTP(response, httptest.NewRequestWithContext(ctx, method, "http://"+adminHost+target, nil))
	return response
}

// An unauthorized client must not learn which parameters exist.
func TestTokenIsCheckedBeforeParameters(t *testing.T) {
	c := configWithoutLog()
	c.Token = func() string { return "hunter2" }
	if response := serveRequest(routesOf(c), http.MethodGet, "/v1/resources?knid=job", nil); response.Code != http.StatusUnauthorized {
		t.Errorf("status %d: %s", response.Code, response.Body)
	}
}

func TestResourcesByPhase(t *testing.T) {
	routes := fixtureWithEvents(t).routes()
	for target, want := range map[string]int{
		"/v1/resources?phase=succeeded": 1, "/v1/resources?phase=transitional": 1, "/v1/resources?phase=": 3, "/v1/resources?phase=ready&kind=job": 0,
	} {
		response := serveRequest(routes, http.MethodGet, target, nil)
		lines := 0
		for scanner := bufio.NewScanner(response.Body); scanner.Scan(); {
			lines++
		}
		if response.Code != http.StatusOK || lines != want {
			t.Errorf("%s: status %d, %d lines, want %d", target, response.Code, lines, want)
		}
	}
}
