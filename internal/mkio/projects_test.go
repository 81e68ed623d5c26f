package mkio_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
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

// MK.IO requires spec.name; metadata, and a name in it, are optional.
func TestAProjectIsNamedByItsSpec(t *testing.T) {
	client := respondingClient(t, map[string]string{"/api/v1/projects": `{"value":[
		{"metadata":{"id":"p-1","name":"old-name"},"spec":{"name":"vod","displayName":"VOD","isActive":true}},
		{"spec":{"name":"live","isActive":true}},
		{"metadata":{"id":"p-3","name":"old"}},
		{"metadata":{"id":"p-4"},"spec":{"isActive":true}}]}`})
	got, err := client.Projects(t.Context())
	if err != nil || len(got) != 4 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, want := range []mkio.Project{{Name: "vod", ID: "p-1"}, {Name: "live"}, {Name: "old", ID: "p-3"}, {ID: "p-4"}} {
		if got[i].Name != want.Name || got[i].ID != want.ID {
			t.Errorf("project %d is %+v, want %+v", i, got[i], want)
		}
	}
}

// Hidden projects are listed where MK.IO takes the parameter; where it refuses it, it is asked once.
func TestHiddenProjectsAreListedIfMKIOAllows(t *testing.T) {
	for _, allows := range []bool{true, false} {
		var refused atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			hidden := r.URL.Query().Get("show_hidden")
			switch {
			case hidden == "true" && allows:
				_, _ = io.WriteString(w, `{"value":[{"spec":{"name":"vod"}},{"spec":{"name":"secret"}}]}`)
			case hidden != "":
				refused.Add(1)
				w.WriteHeader(http.StatusBadRequest)
			default:
				_, _ = io.WriteString(w, `{"value":[{"spec":{"name":"vod"}}]}`)
			}
		}))
		t.Cleanup(server.Close)
		client, err := mkio.NewClient(mkio.ClientConfig{BaseURL: server.URL, Token: func() string { return "t" }, PerMinute: 100_000})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"vod"}
		if allows {
			want = append(want, "secret")
		}
		for range 2 {
			if got, err := client.ActiveProjectNames(t.Context()); err != nil || !slices.Equal(got, want) {
				t.Errorf("allows %t: %v, %v", allows, got, err)
			}
		}
		if n := refused.Load(); !allows && n != 1 {
			t.Errorf("the parameter was refused %d times", n)
		}
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

// Where the history ignores $skiptoken, its first page comes again and again: it is read once.
func TestAHistoryThatIgnoresTheOffsetEnds(t *testing.T) {
	for name, link := range map[string]func(offset int) int{
		"a link that goes on":    func(offset int) int { return offset + 2 },
		"a link that stays":      func(int) int { return 2 },
		"a link that goes back":  func(int) int { return 0 },
		"rows that come between": func(offset int) int { return offset + 2 },
	} {
		requests := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if requests++; requests > 10 {
				t.Error(name + ": endless")
				w.WriteHeader(http.StatusForbidden)
				return
			}
			offset, _ := strconv.Atoi(r.URL.Query().Get("$skiptoken"))
			rows := `{"created":"2031-05-19T10:00:00Z","status":"Sent","type":"x","source":"/b"},{"created":"2031-05-19T09:00:00Z","status":"Failed","type":"x","source":"/a"}`
			if requests == 2 && name == "rows that come between" {
				rows = `{"created":"2031-05-19T11:00:00Z","status":"Sent","type":"x","source":"/c"},` + rows
			}
			fmt.Fprintf(w, `{"value":[%s],"@odata.nextLink":"?$skiptoken=%d"}`, rows, link(offset))
		}))
		t.Cleanup(server.Close)
		client, err := mkio.NewClient(mkio.ClientConfig{BaseURL: server.URL, Token: func() string { return "t" }, PerMinute: 100_000})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"/a", "/b"}
		if name == "rows that come between" {
			want = append(want, "/c")
		}
		all, err := client.Deliveries(t.Context(), "vod", "mkio-bridge")
		var got []string
		for _, d := range all {
			got = append(got, d.Source)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
