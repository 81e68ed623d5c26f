package admin

import (
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/publish"
	"mkio-bridge/internal/streams"
)

// rowsOf makes a request for rows, and returns the page.
func rowsOf(t *testing.T, routes http.Handler, query string) (list[row], *httptest.ResponseRecorder) {
	t.Helper()
	response := serveRequest(routes, http.MethodGet, "/v1/resources?view=row"+query, nil)
	var got list[row]
	if response.Code == http.StatusOK {
		if err := json.Unmarshal(response.Body.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v: %s", query, err, response.Body)
		}
	}
	return got, response
}

func TestRowsShowTheLastEvents(t *testing.T) {
	f := fixtureWithEvents(t)
	for _, source := range []string{"written", "loaded"} {
		if source == "loaded" { // as another bridge has it, which did not write the events
			other := publish.New(f.js.Conn(), f.js, publish.Config{Names: names, BaseURL: "https://app.mk.io", Log: f.Log})
			if err := other.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			f.Heads = other
		}
		got, response := rowsOf(t, f.routes(), "&kind=job")
		if len(got.Items) != 1 || got.Next != "" || response.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %s", source, response.Body)
		}
		r := got.Items[0]
		last, ok, err := f.Events.Current(t.Context(), jobKey(t))
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		late := last.Event.RecordedTime.Sub(last.Event.Time()).Round(time.Millisecond).Seconds()
		if r.Key != "job.aurora-vod.ladder-hd.ep-0417" || r.Kind != lifecycle.Job || r.Project != "aurora-vod" || r.Name != "ep-0417" ||
			strings.Join(r.Path, "/") != "ladder-hd/ep-0417" || r.State != "Finished" || r.Phase != lifecycle.Succeeded || r.Sequence != 2 ||
			r.Via != lifecycle.Webhook || r.Since != formatTime(last.Event.Time()) || r.LatenessSeconds == nil || *r.LatenessSeconds != max(late, 0) {
			t.Errorf("%s: %s", source, response.Body)
		}
		if strings.Contains(response.Body.String(), "houseId") {
			t.Errorf("%s: a row has a part of the payload: %s", source, response.Body)
		}
	}
}

func jobKey(t *testing.T) lifecycle.Key {
	t.Helper()
	key, err := lifecycle.NewKey(lifecycle.Job, "aurora-vod", "ladder-hd", "ep-0417")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// The filters mean the same for rows and for events.
func TestResourceFilters(t *testing.T) {
	routes := fixtureWithEvents(t).routes() // a finished job, a created locator, an accepted operation
	for query, want := range map[string]int{
		"":                                      3,
		"&kind=job":                             1,
		"&kind=asset":                           0,
		"&project=aurora-vod&kind=job":          1,
		"&project=nobody":                       0,
		"&name=0417":                            2, // part of the name of the job and of the locator
		"&name=ep-0417-pub":                     1,
		"&name=ladder":                          0, // a name of the job, but not its own
		"&state=FINISHED":                       1,
		"&state=unset":                          0,
		"&phase=transitional":                   1,
		"&phase=succeeded&state=finished":       1,
		"&phase=ready&kind=job":                 0,
		"&olderThan=2100-01-01&kind=job":        1,
		"&olderThan=2000-01-01":                 0,
		"&kind=job,asset":                       1,
		"&kind=job,streaming-locator,job":       2,
		"&project=nobody,aurora-vod&kind=job":   1,
		"&state=finished,created":               2,
		"&phase=transitional,succeeded":         2,
		"&via=webhook":                          3,
		"&via=poll,history":                     0,
		"&name=" + url.QueryEscape("a.b/ö=2E*"): 0,
	} {
		got, response := rowsOf(t, routes, query)
		if response.Code != http.StatusOK || len(got.Items) != want {
			t.Errorf("%s: status %d, %d rows, want %d", query, response.Code, len(got.Items), want)
		}
		events := serveRequest(routes, http.MethodGet, "/v1/resources?view=event"+query, nil)
		if n := strings.Count(events.Body.String(), "\n"); events.Code != http.StatusOK || n != want {
			t.Errorf("%s: status %d, %d events, want %d", query, events.Code, n, want)
		}
	}
}

// cachedHeads is a cache of numbered jobs.
type cachedHeads struct {
	count    int
	identity string
	visited  int
}

func (c *cachedHeads) LogIdentity() string { return c.identity }

// IsStuck reports true for each tenth job.
func (c *cachedHeads) IsStuck(_ lifecycle.Kind, f lifecycle.Fact, _ time.Time) bool {
	return f.Sequence%10 == 0
}

func (c *cachedHeads) Sorted(_ []lifecycle.Kind, _ []string, after string) iter.Seq2[string, *lifecycle.Fact] {
	return func(yield func(string, *lifecycle.Fact) bool) {
		for i := range c.count {
			resource := fmt.Sprintf("job.aurora-vod.ladder-hd.title-%06d", i)
			if resource <= after {
				continue
			}
			c.visited++
			if !yield(resource, &lifecycle.Fact{Sequence: uint64(i + 1), State: "Processing", Via: lifecycle.Poll}) {
				return
			}
		}
	}
}

// All pages together have each resource once, in order, and no page reads more than it needs.
func TestPagesOfRows(t *testing.T) {
	f := setUp(t)
	heads := &cachedHeads{count: 2500, identity: "log-1"}
	f.Heads = heads
	routes := f.routes()
	for limit, pages := range map[int]int{1000: 3, 100: 25, 500: 5} {
		var keys []string
		n := 0
		for next := ""; ; {
			heads.visited = 0
			got, response := rowsOf(t, routes, fmt.Sprintf("&limit=%d&after=%s", limit, next))
			if response.Code != http.StatusOK || len(got.Items) > limit || heads.visited > limit+1 {
				t.Fatalf("status %d, %d rows, %d heads were read", response.Code, len(got.Items), heads.visited)
			}
			for _, r := range got.Items {
				keys = append(keys, r.Key)
			}
			n++
			if next = got.Next; next == "" {
				break
			}
		}
		if n != pages || len(keys) != heads.count {
			t.Errorf("limit %d: %d pages with %d rows", limit, n, len(keys))
		}
		for i, key := range keys {
			if want := fmt.Sprintf("job.aurora-vod.ladder-hd.title-%06d", i); key != want {
				t.Fatalf("row %d is %s, want %s", i, key, want)
			}
		}
	}
	got, _ := rowsOf(t, routes, "")
	if len(got.Items) != defaultLimit || got.Next == "" {
		t.Errorf("without a limit: %d rows, next %q", len(got.Items), got.Next)
	}
}

func TestRowsOfStuckResources(t *testing.T) {
	f := setUp(t)
	f.Heads = &cachedHeads{count: 100, identity: "log-1"}
	for query, want := range map[string]int{"&stuck=true": 10, "&stuck=true&name=title-00001": 1, "&stuck=false": 100, "&stuck=true&state=Queued": 0} {
		if got, response := rowsOf(t, f.routes(), query); len(got.Items) != want {
			t.Errorf("%s: status %d, %d rows, want %d", query, response.Code, len(got.Items), want)
		}
	}
}

func TestRefusedPagesOfRows(t *testing.T) {
	f := setUp(t)
	heads := &cachedHeads{count: 3, identity: "log-1"}
	f.Heads = heads
	routes := f.routes()
	first, _ := rowsOf(t, routes, "&limit=1")
	events := cursor{Stream: names.EventStream(), Identity: "log-1", After: "5"}.String()
	refused := func(target string, status int, want string) {
		t.Helper()
		response := serveRequest(routes, http.MethodGet, target, nil)
		if response.Code != status || !strings.Contains(response.Body.String(), want) || response.Body.Len() > 1000 {
			t.Errorf("%.80s: status %d, want %d with %q: %.1000s", target, response.Code, status, want, response.Body)
		}
	}
	refused("/v1/resources?view=row&limit=1000000000", 400, "from 1 to 1000")
	refused("/v1/resources?view=row&limit=0", 400, "from 1 to 1000")
	refused("/v1/resources?view=row&limit=-1", 400, "from 1 to 1000")
	refused("/v1/resources?view=rows", 400, "must be row or event")
	refused("/v1/resources?limit=10", 400, "add view=row")
	refused("/v1/resources?after="+first.Next, 400, "add view=row")
	refused("/v1/resources?view=row&olderThan=yesterday", 400, "olderThan: ")
	refused("/v1/resources?view=row&oderThan=1h", 400, "the nearest is olderThan")
	refused("/v1/resources?view=row&after=4711", 400, "not a cursor")
	refused("/v1/resources?view=row&after="+strings.Repeat("x", 10_000), 400, "not a cursor")
	refused("/v1/resources?view=row&kind="+strings.Repeat("x", 10_000), 400, "kind")
	refused("/v1/resources?view=row&after="+events, 400, `of \"MKIO_EVENTS\"`)
	heads.identity = "log-2"
	refused("/v1/resources?view=row&after="+first.Next, 400, "another KV_mkio_state")
	heads.identity = ""
	refused("/v1/resources?view=row", 503, "retry later")
}

// A mebibyte of query is refused before it is read.
func TestLongQueryIsRefused(t *testing.T) {
	f := setUp(t)
	server := httptest.NewUnstartedServer(f.routes())
	server.Config.MaxHeaderBytes = 16 << 10 // as the admin listener has it
	server.Start()
	defer server.Close()
	response, err := http.Get(server.URL + "/v1/resources?view=row&name=" + strings.Repeat("x", 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", response.StatusCode)
	}
}

// The log is replaced while the cache has the former one: the cursor of a former page is refused.
func TestCursorOfAReplacedLog(t *testing.T) {
	f := fixtureWithEvents(t)
	routes := f.routes()
	first, _ := rowsOf(t, routes, "&limit=1")
	if len(first.Items) != 1 || first.Next == "" {
		t.Fatalf("%+v", first)
	}
	if second, _ := rowsOf(t, routes, "&limit=1&after="+first.Next); len(second.Items) != 1 || second.Items[0].Key <= first.Items[0].Key {
		t.Errorf("after %s: %+v", first.Items[0].Key, second)
	}
	for _, stream := range []string{names.EventStream(), names.StateStream()} {
		if err := f.js.DeleteStream(t.Context(), stream); err != nil {
			t.Fatal(err)
		}
	}
	if err := streams.Ensure(t.Context(), f.js, streams.Config{Names: names, Replicas: 1, Create: true}); err != nil {
		t.Fatal(err)
	}
	if err := f.publisher.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, response := rowsOf(t, routes, "&limit=1&after="+first.Next); response.Code != http.StatusBadRequest || !strings.Contains(response.Body.String(), "another KV_mkio_state") {
		t.Errorf("status %d: %s", response.Code, response.Body)
	}
}

// The key of a resource with a very long name has only a part of it; its row has the whole.
func TestRowOfACutName(t *testing.T) {
	f := setUp(t)
	path := []string{strings.Repeat("a", 500), strings.Repeat("b.", 300)}
	key, err := lifecycle.NewKey(lifecycle.Job, "aurora-vod", path...)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2031, 3, 4, 10, 19, 36, 0, time.UTC)
	if _, err := f.publisher.Observe(t.Context(), lifecycle.Observation{
		Key: key, State: "Queued", At: at, Via: lifecycle.Webhook, Source: "/x",
		Delivery: &lifecycle.Delivery{ID: "d-1", Type: "MediaKind.JobQueued", Time: at, Received: at},
	}); err != nil {
		t.Fatal(err)
	}
	if err := f.publisher.Load(t.Context()); err != nil { // waits for the state bucket
		t.Fatal(err)
	}
	got, response := rowsOf(t, f.routes(), "")
	if len(got.Items) != 1 || strings.Join(got.Items[0].Path, "/") != strings.Join(path, "/") || len(got.Items[0].Key) > 900 {
		t.Errorf("status %d: %s", response.Code, response.Body)
	}
}
