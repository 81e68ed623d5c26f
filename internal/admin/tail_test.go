package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
)

// lastEvents is a page of events. Sequences and Chain are those of its items, as text.
type lastEvents struct {
	Sequences, Chain string
	Reasons          []string
	Previous         string
}

// tailPage requests a page of events.
func tailPage(t *testing.T, server, query string) lastEvents {
	t.Helper()
	status, body := get(t, server, query)
	var got struct {
		Items []struct {
			Sequence           uint64
			Chain, ChainReason string
		}
		Previous string
	}
	if err := json.Unmarshal(body, &got); err != nil || status != http.StatusOK {
		t.Fatalf("%s: status %d, %v: %s", query, status, err, body)
	}
	page := lastEvents{Previous: got.Previous}
	for _, e := range got.Items {
		page.Sequences = strings.TrimSpace(fmt.Sprint(page.Sequences, " ", e.Sequence))
		page.Chain = strings.TrimSpace(page.Chain + " " + e.Chain)
		if e.ChainReason != "" {
			page.Reasons = append(page.Reasons, e.ChainReason)
		}
	}
	return page
}

const (
	resourceOfJob = "&resource=job/aurora-vod/ladder-hd/ep-0417"
	tokenOfJob    = "job.aurora-vod.ladder-hd.ep-0417"
)

// Pages backwards have each event once, and the one with the first event has no cursor.
func TestLastEvents(t *testing.T) {
	server := fixtureWithEvents(t).serve()
	for query, want := range map[string]string{
		"&tail=1":                   "4|3|2|1",
		"&tail=3":                   "2 3 4|1",
		"&tail=4":                   "1 2 3 4",
		"&tail=1000":                "1 2 3 4",
		"&tail=1" + resourceOfJob:   "2|1",
		"&tail=2" + resourceOfJob:   "1 2",
		"&tail=1&phase=succeeded":   "2",
		"&tail=1&from=3":            "4|3",
		"&tail=9&since=1d&until=0s": "1 2 3 4",
		"&tail=9&since=2100-01-01":  "",
		"&tail=9&until=2000-01-01":  "",
		"&tail=1&kind=job&via=poll": "",
		"&tail=9&by=time&since=2000-01-01&until=2100-01-01": "1 2 3 4",
	} {
		page := tailPage(t, server, query)
		got := []string{page.Sequences}
		for page.Previous != "" {
			page = tailPage(t, server, query+"&before="+page.Previous)
			got = append(got, page.Sequences)
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}

func TestLastEventsAreRefused(t *testing.T) {
	f := fixtureWithEvents(t)
	server := f.serve()
	previous := tailPage(t, server, "&tail=1").Previous
	_, _, next := eventPage(t, server, "&limit=1")
	for query, want := range map[string]string{
		"&tail=0":                                   "1 to 1000",
		"&tail=1001":                                "1 to 1000",
		"&tail=1&limit=1":                           "excludes limit and after",
		"&tail=1&after=" + next:                     "excludes limit and after",
		"&before=" + previous:                       "add tail",
		"&tail=1&before=" + next:                    "not a cursor of last events",
		"&limit=1&after=" + previous:                "not a cursor",
		"&tail=1&chain=true":                        "add resource",
		"&chain=true&state=ready" + resourceOfJob:   "leave out state",
		"&chain=true&via=webhook" + resourceOfJob:   "leave out state",
		"&chain=true&by=time" + resourceOfJob:       "leave out state",
		"&chain=maybe" + resourceOfJob:              "chain",
		"&tail=1&before=" + outsideBefore(t, f, 99): "past the end",
	} {
		status, body := get(t, server, query)
		if status != http.StatusBadRequest && status != http.StatusRequestedRangeNotSatisfiable || !strings.Contains(string(body), want) {
			t.Errorf("%s: status %d, want %q: %s", query, status, want, body)
		}
	}
	for _, query := range []string{"tail=1", "before=" + previous, "chain=true"} {
		response := serveRequest(f.routes(), http.MethodGet, "/v1/events?"+query, nil)
		if response.Code != http.StatusBadRequest || !strings.Contains(response.Body.String(), "add follow=false") {
			t.Errorf("%s: status %d: %s", query, response.Code, response.Body)
		}
	}
}

// outsideBefore returns a cursor of the log for events before a sequence.
func outsideBefore(t *testing.T, f *fixture, sequence uint64) string {
	t.Helper()
	bounds, err := f.Events.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return cursor{Stream: bounds.Stream, Identity: bounds.Identity, Before: fmt.Sprint(sequence)}.String()
}

// Each event is compared with the one before it, also with one that is not in the page.
func TestChainOfEvents(t *testing.T) {
	f := fixtureWithEvents(t)
	server := f.serve()
	for query, want := range map[string]string{
		"&tail=9":          "first ok",
		"&tail=1":          "ok",
		"&limit=1":         "first",
		"&from=2":          "ok",
		"&tail=9&until=0s": "first ok",
	} {
		if page := tailPage(t, server, query+resourceOfJob+"&chain=true"); page.Chain != want || len(page.Reasons) > 0 {
			t.Errorf("%s: %q, want %q: %q", query, page.Chain, want, page.Reasons)
		}
	}
	if page := tailPage(t, server, "&tail=9"+resourceOfJob); page.Chain != "" {
		t.Errorf("not asked for: %q", page.Chain)
	}
	f.forge(4)
	page := tailPage(t, server, "&tail=9&chain=true"+resourceOfJob)
	if page.Chain != "first ok broken" || len(page.Reasons) != 1 || !strings.Contains(page.Reasons[0], "transition 9 follows 2") ||
		!strings.Contains(page.Reasons[0], "previousHash is not the hash of event 2") {
		t.Errorf("%q: %q", page.Chain, page.Reasons)
	}
}

// What an age limit has removed is no break: the first event that is left has nothing before it to be compared with.
func TestChainOfATrimmedLog(t *testing.T) {
	f := fixtureWithEvents(t)
	server := f.serve()
	brokertest.TrimToLast(t, f.js, names.EventStream(), 3) // without the job's first event
	if page := tailPage(t, server, "&tail=9&chain=true"+resourceOfJob); page.Sequences != "2" || page.Chain != "first" {
		t.Errorf("%+v", page)
	}
}

// forge writes a copy of the job's last event, with another transition, as an event that no bridge wrote. last is the sequence of
// the log's last event.
func (f *fixture) forge(last uint64) {
	f.t.Helper()
	for e, err := range f.Events.Events(f.t.Context(), eventlog.Query{From: 2, To: 2}) {
		if err != nil {
			f.t.Fatal(err)
		}
		data := strings.Replace(string(e.Payload), `"transition":2`, `"transition":9`, 1)
		header := nats.Header{}
		for name, values := range e.Header {
			if !strings.HasPrefix(name, "Nats-") {
				header[name] = values
			}
		}
		header.Set(event.HeaderTransition, "9")
		header.Set(event.HeaderHash, event.Hash([]byte(data)))
		if err := f.js.Conn().PublishMsg(&nats.Msg{Subject: names.Subject(tokenOfJob, e.Fact.State), Header: header, Data: []byte(data)}); err != nil {
			f.t.Fatal(err)
		}
	}
	f.awaitSequence(last + 1)
}
