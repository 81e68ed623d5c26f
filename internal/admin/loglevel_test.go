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

// put asks routes to change something.
func put(routes http.Handler, target, body string, header http.Header) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodPut, "http://"+localAdmin+target, strings.NewReader(body))
	request.Header = header
	answer := httptest.NewRecorder()
	routes.ServeHTTP(answer, request)
	return answer
}

// withoutLog is enough for what reads no event.
func withoutLog() Config {
	return Config{
		LogLevel: NewLevel(slog.LevelError), Token: func() string { return "" }, Loopback: true, Log: slog.New(slog.DiscardHandler),
	}
}

const logLevelPath = "/v1/log-level"

func TestALogLevelEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(Config{LogLevel: NewLevel(slog.LevelError), Log: slog.New(slog.DiscardHandler)})
		want := func(is string, left time.Duration) {
			t.Helper()
			got := levelShownBy(t, ask(http.HandlerFunc(a.getLogLevel), http.MethodGet, logLevelPath, nil))
			if got.Level != is || (left == 0) != (got.Until == nil) || left > 0 && !got.Until.Equal(time.Now().Add(left)) {
				t.Errorf("the level is %+v, want %s for %s", got, is, left)
			}
		}
		change := func(body string) {
			t.Helper()
			if answer := put(http.HandlerFunc(a.setLogLevel), logLevelPath, body, nil); answer.Code != http.StatusOK {
				t.Fatalf("%s: status %d: %s", body, answer.Code, answer.Body)
			}
		}
		want("error", 0)
		change(`{"level": "debug", "for": "10m"}`)
		want("debug", 10*time.Minute)
		time.Sleep(9 * time.Minute)
		change(`{"level": "warn", "for": "10m"}`) // the one before ends nothing any more
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

func TestALogLevelThatIsNone(t *testing.T) {
	c := withoutLog()
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
		answer := put(routesOf(c), logLevelPath, body, nil)
		if answer.Code != http.StatusBadRequest || !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%.60s: status %d, want 400 and %q: %s", body, answer.Code, want, answer.Body)
		}
	}
	if c.LogLevel.String() != "error" {
		t.Errorf("the level is %s now", c.LogLevel)
	}
}

// Who may not read /v1 changes no level and sees no profile; nor does a page of elsewhere.
func TestLevelsAndProfilesAreGuarded(t *testing.T) {
	c := withoutLog()
	c.Pprof = true
	const profile = "/debug/pprof/heap"
	debug := func(routes http.Handler, header http.Header) int {
		return put(routes, logLevelPath, `{"level": "debug"}`, header).Code
	}
	outside := c
	outside.Loopback = false
	if elsewhere := routesOf(outside); debug(elsewhere, nil) != 404 || ask(elsewhere, http.MethodGet, profile, nil).Code != 404 {
		t.Error("without a token they are there, not on loopback alone")
	}
	if status := debug(routesOf(c), http.Header{"Sec-Fetch-Site": {"cross-site"}}); status != http.StatusForbidden {
		t.Errorf("a page of elsewhere: status %d", status)
	}
	c.Token = func() string { return "hunter2" }
	routes := routesOf(c)
	for header, want := range map[string]int{"": 401, "Bearer hunter": 401, "Bearer hunter2": 200} {
		given := http.Header{"Authorization": {header}}
		if status := ask(routes, http.MethodGet, profile, given).Code; status != want {
			t.Errorf("Authorization %q: a profile is answered %d, want %d", header, status, want)
		}
		if status := debug(routes, given); status != want {
			t.Errorf("Authorization %q: a level is answered %d, want %d", header, status, want)
		}
	}
}

func TestProfilesAreAnOption(t *testing.T) {
	if answer := ask(routesOf(withoutLog()), http.MethodGet, "/debug/pprof/", nil); answer.Code != http.StatusNotFound {
		t.Errorf("they are there without being asked for: status %d", answer.Code)
	}
}

func levelShownBy(t *testing.T, answer *httptest.ResponseRecorder) (shown levelShown) {
	t.Helper()
	if err := json.Unmarshal(answer.Body.Bytes(), &shown); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", answer.Body, err))
	}
	return shown
}
