package admin

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestV1NeedsTheTokenOrLoopback(t *testing.T) {
	c := setUp(t).Config
	const target = "/v1/resources?kind=job"
	c.Loopback = false
	if response := serveRequest(routesOf(c), http.MethodGet, target, nil); response.Code != http.StatusNotFound {
		t.Errorf("no token, not on loopback: status %d", response.Code)
	}
	c.Token = func() string { return "hunter2" }
	for _, c.Loopback = range []bool{true, false} {
		routes := routesOf(c)
		for header, want := range map[string]int{"": 401, "Bearer hunter": 401, "Basic hunter2": 401, "Bearer hunter2": 200} {
			if response := serveRequest(routes, http.MethodGet, target, http.Header{"Authorization": {header}}); response.Code != want {
				t.Errorf("Authorization %q, loopback %t: status %d, want %d", header, c.Loopback, response.Code, want)
			}
		}
	}
}

// DNS rebinding: a foreign page's host name may resolve to loopback, and the browser then takes the API for the page's own
// origin.
func TestV1WithoutATokenNeedsALocalHost(t *testing.T) {
	routes := setUp(t).routes()
	for host, want := range map[string]int{
		"localhost": 200, "localhost:9090": 200, "127.0.0.1": 200, "127.0.0.1:9090": 200, "[::1]": 200, "[::1]:9090": 200,
		"page.test": 403, "page.test:9090": 403, "127.0.0.1.page.test:9090": 403, "localhost.page.test": 403, "": 403,
	} {
		request := httptest.NewRequest(http.MethodGet, "/v1/resources?kind=job", nil)
		request.Host = host
		response := httptest.NewRecorder()
		routes.ServeHTTP(response, request)
		if response.Code != want {
			t.Errorf("host %q: status %d, want %d", host, response.Code, want)
		}
	}
}

// Every answer says who gave it, also an error.
func TestAnswersNameTheBridge(t *testing.T) {
	c := setUp(t).Config
	c.Token, c.Instance, c.Version = func() string { return "hunter2" }, "bridge-0", "1.2.3"
	routes := routesOf(c)
	admin := http.Header{"Authorization": {"Bearer hunter2"}}
	foreign := http.Header{"Authorization": admin["Authorization"], "Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://page.test"}}
	for _, tt := range []struct {
		method, target string
		header         http.Header
		status         int
	}{
		{http.MethodGet, "/v1/log-level", admin, 200},
		{http.MethodGet, "/v1/log-level", nil, 401},
		{http.MethodGet, "/v1/log-level?colour=red", admin, 400},
		{http.MethodGet, "/v1/unapplied/4711", admin, 404},
		{http.MethodPost, "/v1/session", foreign, 403},
	} {
		response := serveRequest(routes, tt.method, tt.target, tt.header)
		instance, version := response.Header().Get("Mkio-Bridge-Instance"), response.Header().Get("Mkio-Bridge-Version")
		if response.Code != tt.status || instance != "bridge-0" || version != "1.2.3" {
			t.Errorf("%s %s: status %d from %q, version %q, want %d", tt.method, tt.target, response.Code, instance, version, tt.status)
		}
	}
}
