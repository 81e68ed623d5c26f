package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"mkio-bridge/internal/brokertest"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/schematest"
)

// A streamResult is the response to a request for an event stream.
type streamResult struct {
	status  int
	log     logView // from the first message
	ids     string
	problem struct { // if there is no stream
		logView
		Status int
		Detail string
	}
}

// stream requests events, and reads n of them; -1: until the response ends.
func stream(t *testing.T, server, query, last string, n int) (s streamResult) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // ends a stream without events
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/v1/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Last-Event-ID", last)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if s.status = response.StatusCode; s.status != http.StatusOK {
		if err := json.NewDecoder(response.Body).Decode(&s.problem); err != nil || s.problem.Status != s.status || response.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %+v, %v", query, s.problem, err)
		}
		return s
	}
	var ids []string
	messages := newMessages(response.Body)
	m, _ := messages.next()
	if err := json.Unmarshal([]byte(m["data"]), &s.log); err != nil || m["event"] != "log" || m["id"] != "" {
		t.Errorf("%s: the first message is %v, %v", query, m, err)
	}
	for len(ids) != n {
		m, ok := messages.next()
		if !ok {
			break
		}
		schematest.Event(t, []byte(m["data"]))
		ids = append(ids, m["id"])
	}
	s.ids = strings.Join(ids, " ")
	return s
}

func (f *fixture) serve() (url string) {
	f.t.Helper()
	server := httptest.NewServer(f.routes())
	f.t.Cleanup(server.Close)
	return server.URL
}

// eventTime returns an event's own time.
func (f *fixture) eventTime(sequence uint64) time.Time {
	f.t.Helper()
	for e, err := range f.Events.Events(f.t.Context(), eventlog.Query{From: sequence, To: sequence}) {
		if err != nil {
			f.t.Fatal(err)
		}
		return e.Event.Time()
	}
	f.t.Fatalf("the log has no event %d", sequence)
	return time.Time{}
}

func TestStreamPositionMustBeInTheLog(t *testing.T) {
	f := fixtureWithEvents(t)
	server := f.serve()
	largest := fmt.Sprint(uint64(math.MaxUint64))
	check := func(query, last string, status int, ids string) {
		t.Helper()
		s := stream(t, server, query, last, len(strings.Fields(ids)))
		first, end := uint64(1), uint64(4)
		view := s.log
		if status == http.StatusRequestedRangeNotSatisfiable {
			view = s.problem.logView
			if !strings.Contains(s.problem.Detail, "MKIO_EVENTS") {
				t.Errorf("%s after %q: detail %s", query, last, s.problem.Detail)
			}
		}
		if s.status != status || s.ids != ids || view.Log == "" || view.FirstSequence != first || view.LastSequence != end {
			t.Errorf("%s after %q: %+v, want %d with %q", query, last, s, status, ids)
		}
	}
	const outside = http.StatusRequestedRangeNotSatisfiable
	check("?from=1", "", 200, "1 2 3 4")
	check("?from=5", "", 200, "")
	check("?from=6", "", outside, "")
	check("?from="+largest, "", outside, "")
	check("?from="+largest+"0", "", outside, "")
	check("", "0", 200, "1 2 3 4")
	check("", "4", 200, "")
	check("", "5", outside, "")
	check("", "5000", outside, "")
	check("", largest, outside, "")
	check("", largest+"0", outside, "")
	check("?from=5000", "2", 200, "3 4") // an EventSource repeats the parameters of its first request
	check("?since=2100-01-01", "2", 200, "3 4")
}

func TestStreamOfATrimmedLog(t *testing.T) {
	f := fixtureWithEvents(t)
	server := f.serve()
	brokertest.TrimToLast(t, f.js, names.EventStream(), 2)
	for _, tt := range []struct {
		query, last string
		status      int
		ids         string
	}{
		{"?from=2", "", 416, ""},
		{"", "1", 416, ""},
		{"", "0", 416, ""},
		{"?from=3", "", 200, "3 4"},
		{"", "2", 200, "3 4"},
		{"?since=2000-01-01", "", 200, "3 4"},
	} {
		s := stream(t, server, tt.query, tt.last, len(strings.Fields(tt.ids)))
		if s.status != tt.status || s.ids != tt.ids {
			t.Errorf("%s after %q: %+v, want %d with %q", tt.query, tt.last, s, tt.status, tt.ids)
		}
	}
}

func TestStreamOfAPeriod(t *testing.T) {
	f := fixtureWithEvents(t)
	server := f.serve()
	finished := f.eventTime(2)
	day := func(at time.Time) string { return url.QueryEscape(at.Format(time.RFC3339Nano)) }
	const whole = -1
	for _, tt := range []struct {
		query, last, ids string
		n                int // events to read: a period of these events ends in years
	}{
		{"?from=1&until=0s", "", "1 2 3 4", whole},
		{"?since=1d&until=0s&phase=transitional", "", "1 4", whole},
		{"?since=1d&until=12h", "", "", whole},
		{"?by=time&since=" + day(finished) + "&until=" + day(finished.Add(time.Nanosecond)), "", "2", 1},
		{"?by=time&kind=job&since=2000-01-01&until=" + day(finished), "", "1", 1},
		{"?by=time&from=2&since=" + day(finished), "", "2", 1},
		{"?by=time&since=2000-01-01&until=2001-01-01", "1", "", whole},
	} {
		if s := stream(t, server, tt.query, tt.last, tt.n); s.status != 200 || s.ids != tt.ids {
			t.Errorf("%s: %+v, want %q", tt.query, s, tt.ids)
		}
	}
	for query, want := range map[string]string{
		"?by=stored":       "must be recorded or time",
		"?until=tomorrow":  "nor a date",
		"?from=1&since=1h": "exclude each other",
		"?from=0":          "not a sequence",
		"?phase=done":      "phases are",
	} {
		if s := stream(t, server, query, "", -1); s.status != http.StatusBadRequest || !strings.Contains(s.problem.Detail, want) {
			t.Errorf("%s: %+v, want %q", query, s, want)
		}
	}
	if s := stream(t, server, "", "two", -1); s.status != http.StatusBadRequest || !strings.Contains(s.problem.Detail, "Last-Event-ID") {
		t.Errorf("%+v", s)
	}
}

// A matching event is sent at once, even while events are pending that do not match.
func TestMatchingEventsAreFlushedAtOnce(t *testing.T) {
	f := fixtureWithEvents(t)
	server := f.serve()
	began := time.Now()
	if s := stream(t, server, "?from=1&phase=succeeded", "", 1); s.ids != "2" || time.Since(began) > keepAliveInterval {
		t.Errorf("%+v after %s", s, time.Since(began))
	}
}

func TestUnavailableLog(t *testing.T) {
	f := setUp(t)
	if err := f.js.DeleteStream(t.Context(), names.EventStream()); err != nil {
		t.Fatal(err)
	}
	if err := f.js.DeleteStream(t.Context(), names.StateStream()); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"/v1/events", "/v1/resources/job/aurora-vod/ladder-hd/ep-0417"} {
		response := serveRequest(f.routes(), http.MethodGet, target, nil)
		if response.Code != http.StatusServiceUnavailable || response.Header().Get("Retry-After") == "" {
			t.Errorf("%s: status %d: %s", target, response.Code, response.Body)
		}
	}
}

// messages reads server-sent events from a response.
type messages struct{ lines *bufio.Scanner }

func newMessages(body io.Reader) messages {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	return messages{lines}
}

// next returns the fields of the next message; ok is false at the end.
func (m messages) next() (fields map[string]string, ok bool) {
	fields = map[string]string{}
	for m.lines.Scan() {
		name, value, found := strings.Cut(m.lines.Text(), ": ")
		if found {
			fields[name] = value
		} else if len(fields) > 0 {
			return fields, true
		}
	}
	return nil, false
}
