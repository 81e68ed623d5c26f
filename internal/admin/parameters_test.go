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
	routes := routesOf(withoutLog())
	for _, tt := range []struct{ method, target, says string }{
		{http.MethodGet, "/v1/resources?knid=job", `there is no parameter "knid"; the nearest is kind (all are kind, project, name, state, phase)`},
		{http.MethodGet, "/v1/resources?kind=job&Project=aurora-vod", "the nearest is project"},
		{http.MethodGet, "/v1/resources?since=1h", `there is no parameter "since"`},
		{http.MethodGet, "/v1/resources?kind=job&kind=asset", "kind is given 2 times"},
		{http.MethodGet, "/v1/resources?kind=%zz", "cannot be read"},
		{http.MethodGet, "/v1/resources?kind=job;project=x", "cannot be read"},
		{http.MethodGet, "/v1/resources?phase=done", "phases are initial, "},
		{http.MethodGet, "/v1/resources?" + strings.Repeat("x", 10_000), `there is no parameter "xxx`},
		{http.MethodGet, "/v1/events?phaze=ready", "the nearest is phase"},
		{http.MethodGet, "/v1/events?form=1", "the nearest is from"},
		{http.MethodGet, "/v1/resources/job/aurora-vod/ladder-hd/ep-0417?state=x", "takes none"},
		{http.MethodPost, "/v1/unapplied/1/retry?dryrun=true", "the nearest is dryRun"},
		{http.MethodGet, "/v1/log-level?level=debug", "takes none"},
		{http.MethodPut, "/v1/log-level?level=debug", "takes none"},
	} {
		answer := askFor(t, routes, tt.method, tt.target)
		says := strings.ReplaceAll(answer.Body.String(), `\"`, `"`)
		if answer.Code != http.StatusBadRequest || !strings.Contains(says, tt.says) || len(says) > 1000 {
			t.Errorf("%s %.60s: status %d, want %q: %.1000s", tt.method, tt.target, answer.Code, tt.says, says)
		}
	}
}

// askFor is [ask] with an end, for an answer that goes on.
func askFor(t *testing.T, routes http.Handler, method, target string) *httptest.ResponseRecorder {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	answer := httptest.NewRecorder()
	routes.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, method, "http://"+localAdmin+target, nil))
	return answer
}

// Whoever may not read is not told which parameters there are.
func TestParametersAreLookedAtAfterTheToken(t *testing.T) {
	c := withoutLog()
	c.Token = func() string { return "hunter2" }
	if answer := ask(routesOf(c), http.MethodGet, "/v1/resources?knid=job", nil); answer.Code != http.StatusUnauthorized {
		t.Errorf("status %d: %s", answer.Code, answer.Body)
	}
}

func TestResourcesOfAPhase(t *testing.T) {
	routes := filled(t).routes()
	for target, want := range map[string]int{
		"/v1/resources?phase=succeeded": 1, "/v1/resources?phase=transitional": 1, "/v1/resources?phase=": 3, "/v1/resources?phase=ready&kind=job": 0,
	} {
		answer := ask(routes, http.MethodGet, target, nil)
		lines := 0
		for scanner := bufio.NewScanner(answer.Body); scanner.Scan(); {
			lines++
		}
		if answer.Code != http.StatusOK || lines != want {
			t.Errorf("%s: status %d, %d lines, want %d", target, answer.Code, lines, want)
		}
	}
}
