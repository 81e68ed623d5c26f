package admin

import (
	"encoding/json"
	"net/http"
	"strings"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/problem"
)

// A resource is one resource as /v1 shows it: its last event and that event's sequence in the log.
type resource struct {
	Sequence uint64          `json:"sequence"`
	Subject  string          `json:"subject"`
	Event    json.RawMessage `json:"event"`
}

func resourceOf(e eventlog.Raw) resource {
	return resource{Sequence: e.Sequence, Subject: e.Subject, Event: e.Payload}
}

// listResources answers with the current state of the resources that the query selects, one JSON object a line.
func (a *API) listResources(w http.ResponseWriter, r *http.Request) {
	query, err := queryOf(r.URL.Query())
	if err != nil {
		problem.Write(w, http.StatusBadRequest, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	encoder := newEncoder(w)
	for e, err := range a.c.Events.Sparing().RawState(r.Context(), query) {
		if err != nil {
			a.c.Log.Warn("a list of resources was cut short", "error", err)
		} else if err = encoder.Encode(resourceOf(e)); err != nil {
			a.c.Log.Debug("a reader of a list of resources has left, or took nothing", "error", err)
		}
		if err != nil {
			panic(http.ErrAbortHandler) // an aborted answer cannot be taken for a complete one
		}
	}
}

// getResource answers with the current state of one resource.
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
		a.c.Log.Error("a resource could not be read", "project", key.Project, "kind", string(key.Kind), "resource", a.c.Events.Names().Resource(key), "error", err)
		problem.Write(w, http.StatusServiceUnavailable, "the log could not be read: come again")
	case !ok:
		problem.Write(w, http.StatusNotFound, "the log has no event of "+key.String())
	default:
		writeJSON(w, resourceOf(entry.Raw))
	}
}
