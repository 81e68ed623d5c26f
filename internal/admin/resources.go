package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/problem"
)

// A resource is the JSON form of one resource: its last event, and that event's sequence in the log.
type resource struct {
	Sequence uint64          `json:"sequence"`
	Subject  string          `json:"subject"`
	Event    json.RawMessage `json:"event"`
}

func newResource(e eventlog.Raw) resource {
	return resource{Sequence: e.Sequence, Subject: e.Subject, Event: e.Payload}
}

// A resourceRequest has the parameters of a GET /v1/resources.
type resourceRequest struct {
	page  // of rows
	query eventlog.Query
	stuck bool // only those that are in their state for too long ([durations.Table.Stuck])
	rows  bool // one page of rows; else all events, one per line
}

func parseResourceRequest(values url.Values) (resourceRequest, error) {
	query, err := parseQuery(values)
	query.Name, query.NamePart = "", query.Name
	request := resourceRequest{query: query}
	read := request.readers()
	read["olderThan"] = parsed(&request.query.InStateBefore, eventlog.ParseTime)
	read["stuck"] = parsed(&request.stuck, parseBool)
	read["view"] = parsed(&request.rows, parseView)
	err = errors.Join(err, readParameters(values, read))
	if err == nil && !request.rows && (values.Get("limit") != "" || values.Get("after") != "") {
		err = errors.New("limit and after are for pages of rows: add view=row")
	}
	return request, err
}

// parseView parses the form of a list, and reports whether it is that of rows.
func parseView(text string) (rows bool, err error) {
	if text != "row" && text != "event" {
		return false, fmt.Errorf("%.40q must be row or event", text)
	}
	return text == "row", nil
}

// listResources writes the current state of the resources that match the query: with view=row one page of rows, in the order of
// their keys, else all last events, one JSON object per line.
func (a *API) listResources(w http.ResponseWriter, r *http.Request) {
	request, err := parseResourceRequest(r.URL.Query())
	switch {
	case err != nil:
		problem.Write(w, http.StatusBadRequest, err.Error())
	case request.rows:
		a.listRows(w, r, request)
	default:
		a.readers.limited(func(w http.ResponseWriter, r *http.Request) { a.listEvents(w, r, request) })(w, r)
	}
}

// listEvents writes the last events of the resources that match a request.
func (a *API) listEvents(w http.ResponseWriter, r *http.Request, request resourceRequest) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	encoder := newEncoder(w)
	log := a.c.Events.WithSmallPrefetch()
	resources := log.RawState(r.Context(), request.query)
	if request.stuck {
		resources = log.StuckState(r.Context(), request.query, time.Now())
	}
	for e, err := range resources {
		if err != nil {
			a.c.Log.Warn("resource list aborted", "error", err)
		} else if err = encoder.Encode(newResource(e)); err != nil {
			a.c.Log.Debug("client of a resource list disconnected or stalled", "error", err)
		}
		if err != nil {
			panic(http.ErrAbortHandler) // abort the response, so that it cannot be taken for a complete one
		}
	}
}

// getResource writes the current state of one resource.
func (a *API) getResource(w http.ResponseWriter, r *http.Request) {
	names := strings.Split(r.PathValue("name"), "/")
	key, err := lifecycle.NewKey(lifecycle.Kind(r.PathValue("kind")), r.PathValue("project"), names...)
	if err != nil {
		problem.Write(w, http.StatusNotFound, err.Error())
		return
	}
	entry, ok, err := a.c.Events.Current(r.Context(), key)
	switch {
	case err != nil:
		a.c.Log.Error("resource cannot be read", "project", key.Project, "kind", string(key.Kind), "resource", a.c.Events.Names().Resource(key), "error", err)
		w.Header().Set("Retry-After", "5")
		problem.Write(w, http.StatusServiceUnavailable, "the log cannot be read: retry later")
	case !ok:
		problem.Write(w, http.StatusNotFound, "the log has no event of "+key.String())
	default:
		writeJSON(w, newResource(entry.Raw))
	}
}
