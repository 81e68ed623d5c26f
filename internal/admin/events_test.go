package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
)

// eventPage requests a page of events, and returns its items, the sequences of these as text, and the cursor.
func eventPage(t *testing.T, server, query string) (items []resource, sequences, next string) {
	t.Helper()
	status, body := get(t, server, query)
	var got list[resource]
	if err := json.Unmarshal(body, &got); err != nil || status != http.StatusOK || got.Items == nil {
		t.Fatalf("%s: status %d, %v: %s", query, status, err, body)
	}
	for _, e := range got.Items {
		sequences = strings.TrimSpace(fmt.Sprint(sequences, " ", e.Sequence))
	}
	return got.Items, sequences, got.Next
}

// get requests /v1/events?follow=false.
func get(t *testing.T, server, query string) (status int, body []byte) {
	t.Helper()
	response, err := http.Get(server + "/v1/events?follow=false" + query)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

func TestPageOfEvents(t *testing.T) {
	f := fixtureWithEvents(t)
	server := f.serve()
	at := func(of time.Time) string { return url.QueryEscape(of.Format(time.RFC3339Nano)) }
	stored, happened := f.stored(2), f.eventTime(2)
	for query, want := range map[string]string{
		"":                 "1 2 3 4",
		"&kind=job":        "1 2",
		"&phase=succeeded": "2",
		"&state=FINISHED":  "2",

		"&kind=job,streaming-locator":                "1 2 3",
		"&state=finished,created":                    "2 3",
		"&phase=succeeded,transitional":              "1 2 4",
		"&project=nobody,aurora-vod":                 "1 2 3",
		"&via=webhook&kind=job":                      "1 2",
		"&via=history,poll":                          "",
		"&via=webhook,poll&state=created":            "3",
		"&from=3":                                    "3 4",
		"&from=5":                                    "",
		"&resource=job/aurora-vod/ladder-hd/ep-0417": "1 2",
		"&resource=job/aurora-vod/ladder-hd/nobody":  "",
		"&resource=job/aurora-vod/ladder-hd/ep-0417&state=processing":        "1",
		"&resource=" + url.QueryEscape("job/aurora-vod/ladder-hd/ep%2D0417"): "1 2",
		"&since=" + at(stored): "2 3 4",
		"&until=" + at(stored): "1",
		"&since=" + at(stored) + "&until=" + at(stored.Add(time.Nanosecond)): "2",
		"&since=1d&until=0s": "1 2 3 4",
		"&since=2100-01-01":  "",
		"&by=time&since=" + at(happened) + "&until=" + at(happened.Add(time.Nanosecond)): "2",
		"&by=time&kind=job&until=" + at(happened):                                        "1",
		"&by=time&from=2&since=" + at(happened) + "&kind=job":                            "2",
	} {
		if _, got, next := eventPage(t, server, query); got != want || next != "" {
			t.Errorf("%s: %q, next %q, want %q", query, got, next, want)
		}
	}
}

// All pages together have each event once, and only the last one has no cursor.
func TestPagesOfEvents(t *testing.T) {
	f := fixtureWithEvents(t)
	server := f.serve()
	for query, want := range map[string][]string{
		"&limit=1":          {"1", "2", "3", "4"},
		"&limit=3":          {"1 2 3", "4"},
		"&limit=4":          {"1 2 3 4"},
		"&limit=1&kind=job": {"1", "2"},
		"&limit=1&since=1d": {"1", "2", "3", "4"},
		"&limit=2&from=2":   {"2 3", "4"},
		"&limit=1&phase=":   {"1", "2", "3", "4"},
		"&limit=1&by=time&since=2000-01-01&until=2100-01-01": {"1", "2", "3", "4"},
	} {
		var got []string
		for next := ""; len(got) == 0 || next != ""; {
			var sequences string
			after := ""
			if next != "" {
				after = "&after=" + next
			}
			_, sequences, next = eventPage(t, server, query+after)
			got = append(got, sequences)
		}
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	_, _, next := eventPage(t, server, "&limit=2")
	f.deliver("job-finished.error.json") // is in the pages that follow
	if _, sequences, last := eventPage(t, server, "&limit=2&after="+next); sequences != "3 4" || last == "" {
		t.Errorf("%q, next %q", sequences, last)
	}
}

// A payload is as stored, so that its hash can be checked: also with white space that encoding/json would remove.
func TestPayloadsOfAPageAreAsStored(t *testing.T) {
	f := fixtureWithEvents(t)
	stored, err := f.Events.Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	header := nats.Header{event.HeaderState: {"Odd"}, event.HeaderTransition: {"3"}}
	odd := []byte("{ \"type\": \"x\",\n\t\"data\" : {\"n\": 12345678901234567890.10, \"s\": \"<\\u2028\u2028&\"} }")
	if err := f.js.Conn().PublishMsg(&nats.Msg{Subject: names.Subject("job.aurora-vod.ladder-hd.ep-0417", "Odd"), Header: header, Data: odd}); err != nil {
		t.Fatal(err)
	}
	f.awaitSequence(stored.State.LastSeq + 1)
	server := httptest.NewServer(uncheckedRoutesOf(f.Config)) // the last one is not an event
	t.Cleanup(server.Close)
	status, body := get(t, server.URL, "")
	if status != http.StatusOK || !json.Valid(body) {
		t.Fatalf("status %d: %s", status, body)
	}
	n := 0
	for e, err := range f.Events.Raw(t.Context(), eventlog.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; !bytes.Contains(body, append([]byte(`,"event":`), append(e.Payload, '}')...)) {
			t.Errorf("event %d is not as stored: %s", e.Sequence, body)
		}
	}
	if n != 5 {
		t.Errorf("%d events", n)
	}
}

func TestRefusedPagesOfEvents(t *testing.T) {
	f := fixtureWithEvents(t)
	server := f.serve()
	refused := func(query string, status int, want string) {
		t.Helper()
		got, body := get(t, server, query)
		if text := strings.ReplaceAll(string(body), `\"`, `"`); got != status || !strings.Contains(text, want) || len(body) > 1000 {
			t.Errorf("%.80s: status %d, want %d with %q: %.1000s", query, got, status, want, text)
		}
	}
	refused("&limit=1000000000", 400, "from 1 to 1000")
	refused("&limit=ten", 400, "from 1 to 1000")
	refused("&from=6", 416, `"lastSequence":4`)
	refused("&from=0", 400, "not a sequence")
	refused("&from=1&since=1h", 400, "exclude each other")
	refused("&unnamed=true", 400, "follow=false")
	refused("&by=stored", 400, "recorded or time")
	refused("&resource=job/aurora-vod", 400, "KIND/PROJECT/NAME")
	refused("&resource=job/aurora-vod/ep-0417", 400, "needs TRANSFORM and NAME")
	refused("&resource=cassette/aurora-vod/x", 400, "unknown kind")
	refused("&resource=job/aurora-vod/ladder-hd/ep-0417&kind=job", 400, "resource excludes")
	refused("&resource="+strings.Repeat("x/", 3000), 400, "resource: ")
	refused("&after=4711", 400, "not a cursor")
	refused("&after="+cursor{Stream: names.StateStream(), Identity: "x", After: "y"}.String(), 400, `of "KV_mkio_state"`)
	refused("&after="+cursor{Stream: names.EventStream(), Identity: "x", After: "3"}.String(), 400, "another MKIO_EVENTS")
	refused("&resorce=x", 400, "the nearest is resource")
	_, _, next := eventPage(t, server, "&limit=1")
	brokertest.TrimToLast(t, f.js, names.EventStream(), 2)
	refused("&after="+next, 416, `"firstSequence":3`)

	for query, want := range map[string]string{"follow=no": "true or false", "limit=5": "add follow=false", "after=x": "add follow=false", "follow=true&limit=5": "add follow=false"} {
		response := serveRequest(f.routes(), http.MethodGet, "/v1/events?"+query, nil)
		if response.Code != http.StatusBadRequest || !strings.Contains(response.Body.String(), want) {
			t.Errorf("%s: status %d, want %q: %s", query, response.Code, want, response.Body)
		}
	}
}

func TestPageOfAnUnavailableLog(t *testing.T) {
	f := setUp(t)
	if err := f.js.DeleteStream(t.Context(), names.EventStream()); err != nil {
		t.Fatal(err)
	}
	response := serveRequest(f.routes(), http.MethodGet, "/v1/events?follow=false", nil)
	if response.Code != http.StatusServiceUnavailable || response.Header().Get("Retry-After") == "" {
		t.Errorf("status %d: %s", response.Code, response.Body)
	}
}

// A stream of one resource has no event of another.
func TestStreamOfOneResource(t *testing.T) {
	server := fixtureWithEvents(t).serve()
	if s := stream(t, server, "?from=1&until=0s&resource=job/aurora-vod/ladder-hd/ep-0417", "", -1); s.status != http.StatusOK || s.ids != "1 2" {
		t.Errorf("%+v", s)
	}
}

// awaitSequence waits until the log has a sequence.
func (f *fixture) awaitSequence(sequence uint64) {
	f.t.Helper()
	for range f.Events.Raw(f.t.Context(), eventlog.Query{From: sequence, Follow: true}) {
		return
	}
}

// stored returns when the log stored an event.
func (f *fixture) stored(sequence uint64) time.Time {
	f.t.Helper()
	for e, err := range f.Events.Raw(f.t.Context(), eventlog.Query{From: sequence, To: sequence}) {
		if err != nil {
			f.t.Fatal(err)
		}
		return e.Stored
	}
	f.t.Fatalf("there is no event %d", sequence)
	return time.Time{}
}
