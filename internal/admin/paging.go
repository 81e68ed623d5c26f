package admin

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// A page is the response of a list.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"` // cursor of the next page, for the parameter after; "": this is the last one
}

// Limits of a page, in items.
const (
	defaultPage = 100
	maxPage     = 1000
)

// parseLimit parses the number of items of a page.
func parseLimit(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 || n > maxPage {
		return 0, fmt.Errorf("%.40q must be a number from 1 to %d", text, maxPage)
	}
	return int(n), nil
}

// A cursor is where a page of a list ended. Clients do not look into it.
type cursor struct {
	List     string `json:"list"` // the endpoint that made it
	Log      string `json:"log"`  // identity of the stream that the list was read from
	Position string `json:"position"`
}

// String returns the cursor as clients get it.
func (c cursor) String() string {
	text, err := json.Marshal(c)
	if err != nil {
		return "" // three strings can always be encoded
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// parseCursor returns the position in a cursor. It refuses a cursor of another list or another log: its position means
// something else there. log is the identity of the list's log.
func parseCursor(text, list, log string) (position string, err error) {
	var c cursor
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(decoded, &c)
	}
	switch {
	case err != nil || c.List == "" || c.Log == "" || c.Position == "":
		return "", fmt.Errorf("after: %.40q is not a cursor: use next of the previous page", text)
	case c.List != list:
		return "", fmt.Errorf("after: the cursor is of %.40s: use next of the previous page of %s", c.List, list)
	case c.Log != log:
		return "", fmt.Errorf("after: the cursor is of another log, created at %.40s; this one was created at %s: begin again without after", c.Log, log)
	}
	return c.Position, nil
}

// A timestamp is a time in a response: RFC 3339 in UTC, with milliseconds.
type timestamp struct{ time.Time }

// MarshalJSON implements [json.Marshaler].
func (t timestamp) MarshalJSON() ([]byte, error) {
	return t.UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000Z07:00"`), nil
}
