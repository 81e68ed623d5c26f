package admin

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// tokens are the tokens of an API under test. They can be replaced.
type tokens struct {
	admin, viewer string
	replaced      atomic.Bool // the viewer's, while a request is open
}

func (s *tokens) config() Config {
	c := configWithoutLog()
	c.Token, c.ViewerToken = func() string { return s.admin }, func() string {
		if s.replaced.Load() {
			return "another"
		}
		return s.viewer
	}
	return c
}

// sessionWith begins a session with a token at an address, and returns its cookie.
func sessionWith(t *testing.T, routes http.Handler, address, token string, header http.Header) *http.Cookie {
	t.Helper()
	request := httptest.NewRequest(http.MethodPost, "/v1/session", nil)
	request.Host, request.Header = address, header.Clone()
	request.Header.Set("Authorization", "Bearer "+token)
	response := httptest.NewRecorder()
	routes.ServeHTTP(response, request)
	cookies := response.Result().Cookies()
	if response.Code != http.StatusOK || len(cookies) != 1 {
		t.Fatalf("status %d, cookies %v: %s", response.Code, cookies, response.Body)
	}
	return cookies[0]
}

// roleWith returns the role that a request with cookies has, and the response.
func roleWith(t *testing.T, routes http.Handler, cookies ...*http.Cookie) (string, *httptest.ResponseRecorder) {
	t.Helper()
	request := httptest.NewRequest(http.MethodGet, "http://"+adminHost+"/v1/session", nil)
	for _, cookie := range cookies {
		request.AddCookie(cookie)
	}
	response := httptest.NewRecorder()
	routes.ServeHTTP(response, request)
	var view sessionView
	if err := json.Unmarshal(response.Body.Bytes(), &view); err != nil {
		t.Fatal(err)
	}
	return view.Role, response
}

func TestSessionCookie(t *testing.T) {
	current := &tokens{admin: "admin-token", viewer: "viewer-token"}
	routes := routesOf(current.config())
	for _, tt := range []struct {
		address string
		header  http.Header
		name    string
		secure  bool
	}{
		{"127.0.0.1:9090", http.Header{}, "mkio-bridge-session-9090", false},
		{"[::1]:9091", http.Header{}, "mkio-bridge-session-9091", false},
		{"bridge.test", http.Header{"Origin": {"https://bridge.test"}}, "mkio-bridge-session", true},
		{"bridge.test:8443", http.Header{"X-Forwarded-Proto": {"https"}}, "mkio-bridge-session-8443", true},
		{"bridge.test:a=b", http.Header{}, "mkio-bridge-session", false},
	} {
		cookie := sessionWith(t, routes, tt.address, current.admin, tt.header)
		if cookie.Name != tt.name || cookie.Secure != tt.secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || cookie.MaxAge != 12*60*60 {
			t.Errorf("%s: %s", tt.address, cookie)
		}
	}
}

// A session is valid on every bridge with its token, for twelve hours, and until the token is replaced.
func TestSessionEndsWithTimeAndToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		current := &tokens{admin: "admin-token", viewer: "viewer-token"}
		routes, other := routesOf(current.config()), routesOf(current.config())
		admin := sessionWith(t, routes, adminHost, current.admin, http.Header{})
		viewer := sessionWith(t, routes, adminHost, current.viewer, http.Header{})
		for cookie, want := range map[*http.Cookie]string{admin: "admin", viewer: "viewer"} {
			if role, response := roleWith(t, other, cookie); role != want {
				t.Errorf("role %q, want %q: %s", role, want, response.Body)
			}
		}
		time.Sleep(12*time.Hour - time.Second)
		if role, response := roleWith(t, routes, admin); role != "admin" {
			t.Errorf("before the expiry: %s", response.Body)
		}
		time.Sleep(time.Second)
		if _, response := roleWith(t, routes, admin); response.Code != http.StatusUnauthorized || !strings.Contains(response.Body.String(), "expired") {
			t.Errorf("after the expiry: %d: %s", response.Code, response.Body)
		}
		renewed := sessionWith(t, routes, adminHost, current.admin, http.Header{})
		if role, response := roleWith(t, routes, admin, renewed); role != "admin" {
			t.Errorf("an old and a valid cookie: %s", response.Body)
		}
		current.admin = "another-admin-token"
		if _, response := roleWith(t, routes, renewed); response.Code != http.StatusUnauthorized || !strings.Contains(response.Body.String(), "replaced") {
			t.Errorf("after the rotation: %d: %s", response.Code, response.Body)
		}
	})
}

// A viewer cannot turn a session into an admin's, nor prolong it.
func TestForgedSessionsAreRefused(t *testing.T) {
	current := &tokens{admin: "admin-token", viewer: "viewer-token"}
	routes := routesOf(current.config())
	cookie := sessionWith(t, routes, adminHost, current.viewer, http.Header{})
	parts := strings.Split(cookie.Value, ".")
	expires := time.Now().Add(time.Hour)
	for name, value := range map[string]string{
		"another role":       strings.Join([]string{parts[0], parts[1], "admin", parts[3]}, "."),
		"a later expiry":     strings.Join([]string{parts[0], "9999999999", parts[2], parts[3]}, "."),
		"no signature":       strings.Join(parts[:3], ".") + ".",
		"more text":          cookie.Value + ".x",
		"another version":    "v2" + cookie.Value[2:],
		"no expiry":          "v1.x.viewer." + parts[3],
		"signed as an admin": session{administrator, expires}.sign(current.viewer),
		"signed as anyone":   session{anyone, expires}.sign(""),
		"nothing":            "",
	} {
		forged := *cookie
		forged.Value = value
		if _, response := roleWith(t, routes, &forged); response.Code != http.StatusUnauthorized {
			t.Errorf("%s: status %d: %s", name, response.Code, response.Body)
		}
	}
	current.viewer = ""
	if _, response := roleWith(t, routes, cookie); response.Code != http.StatusUnauthorized {
		t.Errorf("without a viewer token: status %d", response.Code)
	}
}

// A token that is set for both roles after a rotation does not make viewers admins.
func TestOneTokenForBothRolesIsAViewers(t *testing.T) {
	current := &tokens{admin: "the-token", viewer: "the-token"}
	response := serveRequest(routesOf(current.config()), http.MethodPut, "/v1/log-level", http.Header{"Authorization": {"Bearer the-token"}})
	if response.Code != http.StatusForbidden {
		t.Errorf("status %d: %s", response.Code, response.Body)
	}
}

func TestNoSessionWithoutATokenInTheSettings(t *testing.T) {
	response := serveRequest(routesOf(configWithoutLog()), http.MethodPost, "/v1/session", nil)
	if body := strings.TrimSpace(response.Body.String()); response.Code != http.StatusOK || body != `{"role":"admin"}` || response.Header().Get("Set-Cookie") != "" {
		t.Errorf("status %d, %s, cookie %q", response.Code, body, response.Header().Get("Set-Cookie"))
	}
}

// An open response ends soon after its client has lost the role.
func TestOpenResponseEndsWithTheSession(t *testing.T) {
	for name, end := range map[string]func(*tokens){
		"rotated": func(current *tokens) { current.replaced.Store(true) },
		"expired": func(*tokens) { time.Sleep(sessionLife) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				current := &tokens{admin: "admin-token", viewer: "viewer-token"}
				a := New(current.config())
				cookie := sessionWith(t, routesOf(current.config()), adminHost, current.viewer, http.Header{})
				open := a.guarded(route{least: viewer, follows: true, handler: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }})
				request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+adminHost+"/v1/events", nil)
				request.AddCookie(cookie)
				ended := make(chan struct{})
				go func() { defer close(ended); open.ServeHTTP(httptest.NewRecorder(), request) }()
				time.Sleep(10 * authorizationInterval)
				select {
				case <-ended:
					t.Fatal("the response ended while the session was valid")
				default:
				}
				end(current)
				changed := time.Now()
				<-ended
				if took := time.Since(changed); took > authorizationInterval {
					t.Errorf("the response ended after %s", took)
				}
			})
		})
	}
}
