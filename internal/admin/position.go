package admin

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/problem"
)

// A streamRequest is what a reader of /v1/events asks for.
type streamRequest struct {
	query eventlog.Query // without its From
	from  uint64         // 0: not given
	after *uint64        // Last-Event-ID
}

// streamRequestOf reads the parameters and Last-Event-ID, which an EventSource sends with the parameters of its first
// request when it connects again: it goes before from, and before since as the recorded time.
func streamRequestOf(r *http.Request) (streamRequest, error) {
	values := r.URL.Query()
	query, err := queryOf(values)
	asked := streamRequest{query: query}
	asked.query.Follow = true
	err = errors.Join(err, readParameters(values, map[string]func(string) error{
		"from":  parsed(&asked.from, parseFrom),
		"since": parsed(&asked.query.Since, eventlog.ParseTime),
		"until": parsed(&asked.query.Until, eventlog.ParseTime),
		"by":    parsed(&asked.query.By, eventlog.ParseBy),
	}))
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		n, wrong := parseSequence(last)
		if wrong != nil {
			return asked, errors.Join(err, fmt.Errorf("Last-Event-ID: %w", wrong))
		}
		asked.after, asked.from = &n, 0
		if asked.query.By != eventlog.ByTime {
			asked.query.Since = time.Time{}
		}
		return asked, err
	}
	if asked.from > 0 && !asked.query.Since.IsZero() && asked.query.By != eventlog.ByTime {
		err = errors.Join(err, errors.New("from and since exclude each other, but with by=time: give one of them"))
	}
	return asked, err
}

// within sets where in a log the reading begins. Without a position it begins with what comes.
func (s *streamRequest) within(bounds eventlog.Bounds) error {
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

// parseFrom reads the sequence of an event.
func parseFrom(v string) (uint64, error) {
	n, err := parseSequence(v)
	if err == nil && n == 0 {
		err = fmt.Errorf("%q is no sequence", v)
	}
	return n, err
}

// parseSequence reads a sequence; one that is larger than any stands for the largest, which no log has.
func parseSequence(v string) (uint64, error) {
	n, err := strconv.ParseUint(v, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return math.MaxUint64, nil
	}
	if err != nil {
		return 0, fmt.Errorf("%q is no sequence", v)
	}
	return n, nil
}

// A logShown is the log that a stream of events is of: its first message, and part of the answer to a position that the
// log does not have.
type logShown struct {
	Log           string `json:"log"` // its identity; a log that was made anew has another
	FirstSequence uint64 `json:"firstSequence"`
	LastSequence  uint64 `json:"lastSequence"`
}

func shownLog(b eventlog.Bounds) logShown { return logShown{b.Identity, b.First, b.Last} }

// refuseStream answers a request whose position the log does not have.
func refuseStream(w http.ResponseWriter, outside *eventlog.OutsideError) {
	const status = http.StatusRequestedRangeNotSatisfiable
	problem.WriteDocument(w, status, struct {
		problem.Document
		logShown
	}{problem.NewDocument(status, outside.Error()), shownLog(outside.Bounds)})
}
