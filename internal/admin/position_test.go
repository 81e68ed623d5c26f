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

// A streamed is what came of a request for a stream of events.
type streamed struct {
	status int
	log    logShown // by the first message
	ids    string
	answer struct { // where there is no stream
		logShown
		Status int
		Detail string
	}
}

// stream asks for events until so many have come, or (-1) the answer ends.
func stream(t *testing.T, server, query, last string, n int) (s streamed) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // for a stream on which nothing comes
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
		if err := json.NewDecoder(response.Body).Decode(&s.answer); err != nil || s.answer.Status != s.status || response.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %+v, %v", query, s.answer, err)
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

func TestAStreamBeginsWithinTheLog(t *testing.T) {
	f := filled(t)
	server := f.serve()
	largest := fmt.Sprint(uint64(math.MaxUint64))
	check := func(query, last string, status int, ids string) {
		t.Helper()
		s := stream(t, server, query, last, len(strings.Fields(ids)))
		first, end := uint64(1), uint64(4)
		shown := s.log
		if status == http.StatusRequestedRangeNotSatisfiable {
			shown = s.answer.logShown
			if !strings.Contains(s.answer.Detail, "MKIO_EVENTS") {
				t.Errorf("%s after %q: it says %s", query, last, s.answer.Detail)
			}
		}
		if s.status != status || s.ids != ids || shown.Log == "" || shown.FirstSequence != first || shown.LastSequence != end {
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

func TestAStreamOfALogThatLostItsBeginning(t *testing.T) {
	f := filled(t)
	server := f.serve()
	brokertest.KeepLast(t, f.js, names.EventStream(), 2)
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

func TestAStreamOfAPeriod(t *testing.T) {
	f := filled(t)
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
		"?from=0":          "no sequence",
		"?phase=done":      "phases are",
	} {
		if s := stream(t, server, query, "", -1); s.status != http.StatusBadRequest || !strings.Contains(s.answer.Detail, want) {
			t.Errorf("%s: %+v, want %q", query, s, want)
		}
	}
	if s := stream(t, server, "", "two", -1); s.status != http.StatusBadRequest || !strings.Contains(s.answer.Detail, "Last-Event-ID") {
		t.Errorf("%+v", s)
	}
}

// An event that a reader chooses comes at once, though others follow that it does not.
func TestAChosenEventIsNotHeldBack(t *testing.T) {
	f := filled(t)
	server := f.serve()
	began := time.Now()
	if s := stream(t, server, "?from=1&phase=succeeded", "", 1); s.ids != "2" || time.Since(began) > keepAliveInterval {
		t.Errorf("%+v after %s", s, time.Since(began))
	}
}

func TestAStreamOfALogThatDoesNotAnswer(t *testing.T) {
	f := setUp(t)
	if err := f.js.DeleteStream(t.Context(), names.EventStream()); err != nil {
		t.Fatal(err)
	}
	answer := ask(f.routes(), http.MethodGet, "/v1/events", nil)
	if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" {
		t.Errorf("status %d: %s", answer.Code, answer.Body)
	}
}

// messages are those of an answer of server-sent events.
type messages struct{ lines *bufio.Scanner }

func newMessages(answer io.Reader) messages {
	lines := bufio.NewScanner(answer)
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
