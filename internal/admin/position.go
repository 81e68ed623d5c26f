package admin

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/problem"
)

// A streamRequest has the parameters of a GET /v1/events.
type streamRequest struct {
	query eventlog.Query // startIn sets its From
	from  uint64         // 0: not set
	after *uint64        // the sequence in Last-Event-ID; nil: not set

	unnamed bool // send each event as an unnamed message too
}

// parseStreamRequest parses the parameters and Last-Event-ID. An EventSource that reconnects sends both, with the parameters
// of its first request: so Last-Event-ID overrides from, and also since, unless since is a filter (by=time).
func parseStreamRequest(r *http.Request) (streamRequest, error) {
	values := r.URL.Query()
	query, err := parseQuery(values)
	request := streamRequest{query: query}
	request.query.Follow = true
	err = errors.Join(err,
		readRange(values, &request.query, &request.from),
		readParameters(values, map[string]func(string) error{"unnamed": parsed(&request.unnamed, parseBool)}))
	for _, name := range []string{"limit", "after", "tail", "before", "chain"} {
		if values.Get(name) != "" {
			err = errors.Join(err, fmt.Errorf("%s is for pages of events: add follow=false", name))
		}
	}
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		n, wrong := parseSequence(last)
		if wrong != nil {
			return request, errors.Join(err, fmt.Errorf("Last-Event-ID: %w", wrong))
		}
		request.after, request.from = &n, 0
		if request.query.By != eventlog.ByTime {
			request.query.Since = time.Time{}
		}
		return request, err
	}
	return request, errors.Join(err, checkRange(request.query, request.from))
}

// readRange parses the parameters that select a range of the log.
func readRange(values url.Values, query *eventlog.Query, from *uint64) error {
	return readParameters(values, map[string]func(string) error{
		"from":  parsed(from, parseFrom),
		"since": parsed(&query.Since, eventlog.ParseTime),
		"until": parsed(&query.Until, eventlog.ParseTime),
		"by":    parsed(&query.By, eventlog.ParseBy),
	})
}

// checkRange returns an error if a range has two beginnings.
func checkRange(query eventlog.Query, from uint64) error {
	if from > 0 && !query.Since.IsZero() && query.By != eventlog.ByTime {
		return errors.New("from and since exclude each other, except with by=time: set one of them")
	}
	return nil
}

// startIn sets the sequence at which reading starts; without a position, the one after the log's last. A position outside
// the log is an [*eventlog.OutsideError].
func (s *streamRequest) startIn(bounds eventlog.Bounds) error {
	switch {
	case s.after != nil:
		s.query.From = *s.after + 1
		return bounds.CheckAfter(*s.after)
	case s.from > 0:
		s.query.From = s.from
		return bounds.CheckFrom(s.from)
	case s.query.Since.IsZero():
		s.query.From = bounds.Last + 1
	}
	return nil
}

// parseFrom parses the sequence of an event, which is never 0. Last-Event-ID may be 0.
func parseFrom(v string) (uint64, error) {
	n, err := parseSequence(v)
	if err == nil && n == 0 {
		err = fmt.Errorf("%q is not a sequence", v)
	}
	return n, err
}

// parseSequence parses a sequence. A number that overflows becomes the largest one, which no log has: the response is then
// 416, as for any other position outside the log.
func parseSequence(v string) (uint64, error) {
	n, err := strconv.ParseUint(v, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return math.MaxUint64, nil
	}
	if err != nil {
		return 0, fmt.Errorf("%q is not a sequence", v)
	}
	return n, nil
}

// A logView identifies the log of an event stream, and its first and last sequence. It is the stream's first message, and
// part of the response to a position outside the log.
type logView struct {
	Log           string `json:"log"` // its identity, which changes when the log is recreated
	FirstSequence uint64 `json:"firstSequence"`
	LastSequence  uint64 `json:"lastSequence"`
}

func newLogView(b eventlog.Bounds) logView { return logView{b.Identity, b.First, b.Last} }

// refuseStream writes the response to a position outside the log.
func refuseStream(w http.ResponseWriter, outside *eventlog.OutsideError) {
	const status = http.StatusRequestedRangeNotSatisfiable
	problem.WriteDocument(w, status, struct {
		problem.Document
		logView
	}{problem.NewDocument(status, outside.Error()), newLogView(outside.Bounds)})
}
