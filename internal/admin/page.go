package admin

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/problem"
)

// A list is a response with a part of the objects that match. Next is the cursor of the objects after it; "" if there are none.
type list[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// A page has the parameters with which a request selects a part of a list.
type page struct {
	limit int
	after cursor // zero: from the beginning
}

var pageParameters = []string{"limit", "after"}

// Limits of a page.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// readers returns readers of the parameters, for [readParameters].
func (p *page) readers() map[string]func(string) error {
	p.limit = defaultLimit
	return map[string]func(string) error{"limit": parsed(&p.limit, parseLimit), "after": parsed(&p.after, parseCursor)}
}

func parseLimit(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxLimit {
		return 0, fmt.Errorf("%.20q must be a number from 1 to %d", text, maxLimit)
	}
	return n, nil
}

// A cursor is the end of a page: the key of its last object, in a stream. A recreated stream has another identity.
type cursor struct {
	Stream   string `json:"stream"`
	Identity string `json:"identity"`
	After    string `json:"after,omitempty"`
	Before   string `json:"before,omitempty"` // instead of After: the page ends before this sequence
	Since    string `json:"since,omitempty"`  // of a list of a period: it is the same on all pages
	Until    string `json:"until,omitempty"`
}

// String returns the cursor as clients get and send it.
func (c cursor) String() string {
	object, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings alone have no reason to fail
	}
	return base64.RawURLEncoding.EncodeToString(object)
}

func parseCursor(text string) (cursor, error) {
	c, err := decodeCursor(text)
	if err != nil || c.After == "" {
		return cursor{}, errors.New("it is not a cursor: send next of the page before")
	}
	return c, nil
}

// parseBefore parses the cursor previous of a page of last events.
func parseBefore(text string) (cursor, error) {
	c, err := decodeCursor(text)
	if err != nil || c.Before == "" {
		return cursor{}, errors.New("it is not a cursor of last events: send previous of the page after")
	}
	return c, nil
}

func decodeCursor(text string) (c cursor, err error) {
	object, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(object, &c)
	}
	if err == nil && c.Stream == "" {
		err = errors.New("it has no stream")
	}
	return c, err
}

// check returns an error if a cursor is of another list, or of another stream of that name.
func (c cursor) check(stream, identity string) error {
	parameter := "after"
	if c.Before != "" {
		parameter = "before"
	}
	switch {
	case c == cursor{}:
		return nil
	case c.Stream != stream:
		return fmt.Errorf("%s: the cursor is of a list of %.64q, not of %s: send the one that the list was answered with", parameter, c.Stream, stream)
	case c.Identity != identity:
		return fmt.Errorf("%s: the cursor is of another %s than the one that exists now: begin without %[1]s", parameter, stream)
	}
	return nil
}

// afterSequence returns the sequence that the cursor names; 0 without one.
func (p page) afterSequence(bounds eventlog.Bounds) (uint64, error) {
	if err := p.after.check(bounds.Stream, bounds.Identity); err != nil || p.after == (cursor{}) {
		return 0, err
	}
	sequence, err := parseFrom(p.after.After)
	if err != nil {
		return 0, fmt.Errorf("after: %w", err)
	}
	if sequence > bounds.Last {
		return 0, &eventlog.OutsideError{Sequence: sequence, Bounds: bounds}
	}
	return sequence, nil
}

// refusePage writes the response to a cursor that cannot be used: 416 if it is past the end of its stream, else 400.
func refusePage(w http.ResponseWriter, err error) {
	if outside, ok := errors.AsType[*eventlog.OutsideError](err); ok {
		refuseStream(w, outside)
		return
	}
	problem.Write(w, http.StatusBadRequest, err.Error())
}

// refuseRead writes the response to a request whose answer JetStream does not give now.
func (a *API) refuseRead(w http.ResponseWriter, what string, err error) {
	a.c.Log.Warn("request of /v1 failed: JetStream cannot be read", "reads", what, "error", err)
	w.Header().Set("Retry-After", "5")
	problem.Write(w, http.StatusServiceUnavailable, what+" cannot be read: retry later")
}

// formatTime returns a time as responses have it: RFC 3339 with milliseconds, UTC.
func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }
