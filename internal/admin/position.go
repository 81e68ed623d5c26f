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
	query eventlog.Query // its From is set by startIn
	from  uint64         // 0: not given
	after *uint64        // the sequence in Last-Event-ID; nil: not given
}

// streamRequestOf reads the parameters and Last-Event-ID. An EventSource that connects again sends both, with the
// parameters of its first request: so Last-Event-ID overrides from, and since too unless that is a filter (by=time).
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

// startIn sets the sequence at which reading begins: without a position the one after the log's last. A position that the log
// does not have is an [*eventlog.OutsideError].
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

// parseFrom reads the sequence of an event: that is never 0, which Last-Event-ID may be.
func parseFrom(v string) (uint64, error) {
	n, err := parseSequence(v)
	if err == nil && n == 0 {
		err = fmt.Errorf("%q is no sequence", v)
	}
	return n, err
}

// parseSequence reads a sequence. A number that is too large becomes the largest one, which no log has: its answer is 416, as
// for any other position outside the log.
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

// A logShown says which log a stream of events is of, and from where to where it goes. It is the stream's first message, and
// part of the answer to a position that the log does not have.
type logShown struct {
	Log           string `json:"log"` // its identity; a log that was created again has another
	FirstSequence uint64 `json:"firstSequence"`
	LastSequence  uint64 `json:"lastSequence"`
}

func logShownOf(b eventlog.Bounds) logShown { return logShown{b.Identity, b.First, b.Last} }

// refuseStream answers a request whose position the log does not have.
func refuseStream(w http.ResponseWriter, outside *eventlog.OutsideError) {
	const status = http.StatusRequestedRangeNotSatisfiable
	problem.WriteDocument(w, status, struct {
		problem.Document
		logShown
	}{problem.NewDocument(status, outside.Error()), logShownOf(outside.Bounds)})
}
