package admin

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// put makes a PUT request to routes without a network.
func put(routes http.Handler, target, body string, header http.Header) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodPut, "http://"+adminHost+target, strings.NewReader(body))
	request.Header = header
	response := httptest.NewRecorder()
	routes.ServeHTTP(response, request)
	return response
}

// configWithoutLog returns a Config for requests that read no events.
func configWithoutLog() Config {
	return Config{
		LogLevel: NewLevel(slog.LevelError), Token: func() string { return "" }, Loopback: true, Log: slog.New(slog.DiscardHandler),
	}
}

const logLevelPath = "/v1/log-level"

func TestLogLevelReverts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(Config{LogLevel: NewLevel(slog.LevelError), Log: slog.New(slog.DiscardHandler)})
		want := func(is string, left time.Duration) {
			t.Helper()
			got := decodeLevel(t, serveRequest(http.HandlerFunc(a.getLogLevel), http.MethodGet, logLevelPath, nil))
			if got.Level != is || (left == 0) != (got.Until == nil) || left > 0 && !got.Until.Equal(time.Now().Add(left)) {
				t.Errorf("the level is %+v, want %s for %s", got, is, left)
			}
		}
		change := func(body string) {
			t.Helper()
			if response := put(http.HandlerFunc(a.setLogLevel), logLevelPath, body, nil); response.Code != http.StatusOK {
				t.Fatalf("%s: status %d: %s", body, response.Code, response.Body)
			}
		}
		want("error", 0)
		change(`{"level": "debug", "for": "10m"}`)
		want("debug", 10*time.Minute)
		time.Sleep(9 * time.Minute)
		change(`{"level": "warn", "for": "10m"}`) // replaces the change before
		time.Sleep(9 * time.Minute)
		want("warn", time.Minute)
		time.Sleep(2 * time.Minute)
		want("error", 0)
		change(`{"level": "debug", "for": "10m"}`)
		change(`{"level": "info"}`)
		time.Sleep(time.Hour)
		want("info", 0)
	})
}

func TestInvalidLogLevelIsRefused(t *testing.T) {
	c := configWithoutLog()
	for body, want := range map[string]string{
		"":                                 "EOF",
		"debug":                            "invalid",
		`{}`:                               "level is missing",
		`{"level": "loud"}`:                "loud",
		`{"level": "debug", "fro": "10m"}`: "fro",
		`{"level": "debug", "for": "ten"}`: "ten",
		`{"level": "debug", "for": "-1m"}`: "-1m",
		`{"level": "debug", "for": "0s"}`:  "0s",
		`{"level": "` + strings.Repeat("x", maxLevelBody) + `"}`: "too large",
	} {
		response := put(routesOf(c), logLevelPath, body, nil)
		if response.Code != http.StatusBadRequest || !strings.Contains(response.Body.String(), want) {
			t.Errorf("%.60s: status %d, want 400 and %q: %s", body, response.Code, want, response.Body)
		}
	}
	if c.LogLevel.String() != "error" {
		t.Errorf("the level is %s now", c.LogLevel)
	}
}

// Without authorization for /v1, and from a page of another origin, a level cannot be changed and a profile cannot be read.
func TestLevelsAndProfilesNeedAuthorization(t *testing.T) {
	c := configWithoutLog()
	c.Pprof = true
	const profile = "/debug/pprof/heap"
	debug := func(routes http.Handler, header http.Header) int {
		return put(routes, logLevelPath, `{"level": "debug"}`, header).Code
	}
	outside := c
	outside.Loopback = false
	if elsewhere := routesOf(outside); debug(elsewhere, nil) != 404 || serveRequest(elsewhere, http.MethodGet, profile, nil).Code != 404 {
		t.Error("without a token they are served outside of loopback")
	}
	if status := debug(routesOf(c), http.Header{"Sec-Fetch-Site": {"cross-site"}}); status != http.StatusForbidden {
		t.Errorf("a page of another origin: status %d", status)
	}
	c.Token = func() string { return "hunter2" }
	routes := routesOf(c)
	for header, want := range map[string]int{"": 401, "Bearer hunter": 401, "Bearer hunter2": 200} {
		given := http.Header{"Authorization": {header}}
		if status := serveRequest(routes, http.MethodGet, profile, given).Code; status != want {
			t.Errorf("Authorization %q: profile status %d, want %d", header, status, want)
		}
		if status := debug(routes, given); status != want {
			t.Errorf("Authorization %q: level status %d, want %d", header, status, want)
		}
	}
}

func TestProfilesAreOffByDefault(t *testing.T) {
	if response := serveRequest(routesOf(configWithoutLog()), http.MethodGet, "/debug/pprof/", nil); response.Code != http.StatusNotFound {
		t.Errorf("profiles are served without being configured: status %d", response.Code)
	}
}

func decodeLevel(t *testing.T, response *httptest.ResponseRecorder) (view levelView) {
	t.Helper()
	if err := json.Unmarshal(response.Body.Bytes(), &view); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", response.Body, err))
	}
	return view
}
