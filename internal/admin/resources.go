package admin

import (
	"encoding/json"
	"errors"
	"net/http"
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

// listResources writes the current state of the resources that match the query, one JSON object per line. With stuck=true
// only of those that are in their state for too long ([durations.Table.Stuck]).
func (a *API) listResources(w http.ResponseWriter, r *http.Request) {
	query, err := parseQuery(r.URL.Query())
	var stuck bool
	err = errors.Join(err, readParameters(r.URL.Query(), map[string]func(string) error{"stuck": parsed(&stuck, parseBool)}))
	if err != nil {
		problem.Write(w, http.StatusBadRequest, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	encoder := newEncoder(w)
	log := a.c.Events.WithSmallPrefetch()
	resources := log.RawState(r.Context(), query)
	if stuck {
		resources = log.StuckState(r.Context(), query, time.Now())
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
		problem.Write(w, http.StatusServiceUnavailable, "the log cannot be read: retry later")
	case !ok:
		problem.Write(w, http.StatusNotFound, "the log has no event of "+key.String())
	default:
		writeJSON(w, newResource(entry.Raw))
	}
}
