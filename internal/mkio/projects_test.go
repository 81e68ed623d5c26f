package mkio_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"mkio-bridge/internal/mkio"
)

// respondingClient returns a client of an API that responds with the body of a path, or 404 without one.
func respondingClient(t *testing.T, bodies map[string]string) *mkio.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := bodies[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	client, err := mkio.NewClient(mkio.ClientConfig{BaseURL: server.URL, Token: func() string { return "t" }, PerMinute: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestAllActiveProjects(t *testing.T) {
	const idle = `{"metadata":{"name":"idle"},"spec":{"isActive":false}}`
	client := respondingClient(t, map[string]string{"/api/v1/projects": `{"value":[{"metadata":{"name":"vod"}},` + idle + `,{"metadata":{"name":"live"},"spec":{"isActive":true}}]}`})
	if got, err := client.ActiveProjectNames(t.Context()); err != nil || !slices.Equal(got, []string{"vod", "live"}) {
		t.Errorf("%v, %v", got, err)
	}
	client = respondingClient(t, map[string]string{"/api/v1/projects": `{"value":[` + idle + `]}`})
	if got, err := client.ActiveProjectNames(t.Context()); !errors.Is(err, mkio.ErrNoActiveProject) || len(got) > 0 {
		t.Errorf("no active project: %v, %v", got, err)
	}
	if _, err := respondingClient(t, nil).ActiveProjectNames(t.Context()); mkio.StatusOf(err) != http.StatusNotFound {
		t.Errorf("404: %v", err)
	}
}

func TestDeliveriesOldestFirst(t *testing.T) {
	client := respondingClient(t, map[string]string{"/api/v1/projects/vod/webhook/rules/mkio-bridge/events": `{"value":[
		{"created":"2031-05-19T10:00:00Z","status":"Sent","type":"x","source":"/late"},{"created":"2031-05-19T09:00:00Z","status":"Failed","type":"x","source":"/early"}]}`})
	all, err := client.Deliveries(t.Context(), "vod", "mkio-bridge")
	if err != nil || len(all) != 2 || all[0].Source != "/early" || all[1].Source != "/late" {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := client.Deliveries(t.Context(), "v\x1b", "r"); err == nil || !strings.Contains(err.Error(), `of rule r in project "v\x1b"`) {
		t.Errorf("unknown project: %v", err)
	}
}
