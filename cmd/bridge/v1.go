package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net"
	"net/http"
	"strings"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/problem"
)

// authorized lets requests with the admin token pass; on loopback without a token, every request.
func (b *bridge) authorized(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want := b.config.AdminToken.value()
		if want == "" && !localHost(r.Host) {
			problem.Write(w, http.StatusForbidden, "without an admin token this is for localhost and loopback addresses alone")
			return
		}
		if want != "" {
			scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			g, t := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want))
			if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(g[:], t[:]) != 1 {
				w.Header().Set("WWW-Authenticate", `Bearer realm="mkio-bridge"`)
				problem.Write(w, http.StatusUnauthorized, "send the admin token as Authorization: Bearer")
				return
			}
		}
		next(w, r)
	})
}

// localHost says whether a request was addressed to this machine. A page of elsewhere, whose name is made to resolve to
// loopback, has its own name there.
func localHost(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	return loopback(net.JoinHostPort(name, "0"))
}

// A resource is one resource as /v1 shows it: its last event and that event's place.
type resource struct {
	Sequence uint64          `json:"sequence"`
	Subject  string          `json:"subject"`
	Event    json.RawMessage `json:"event"`
}

func resourceOf(e eventlog.Raw) resource {
	return resource{Sequence: e.Sequence, Subject: e.Subject, Event: e.Payload}
}

// listResources answers with the current state of the resources that the query chooses, one JSON object
// a line.
func (b *bridge) listResources(w http.ResponseWriter, r *http.Request) {
	query, err := queryOf(r.URL.Query())
	if err != nil {
		problem.Write(w, http.StatusBadRequest, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for e, err := range b.events.Sparing().RawState(r.Context(), query) {
		if err != nil {
			b.log.Warn("a list of resources was cut short", "error", err)
		} else if err = encoder.Encode(resourceOf(e)); err != nil {
			b.log.Debug("a reader of a list of resources has left, or took nothing", "error", err)
		}
		if err != nil {
			panic(http.ErrAbortHandler) // the reader must not take it for whole
		}
	}
}

// getResource answers with the current state of one resource.
func (b *bridge) getResource(w http.ResponseWriter, r *http.Request) {
	names := strings.Split(r.PathValue("name"), "/")
	key, err := lifecycle.NewKey(lifecycle.Kind(r.PathValue("kind")), r.PathValue("project"), names...)
	if err != nil {
		problem.Write(w, http.StatusNotFound, err.Error())
		return
	}
	entry, ok, err := b.events.Current(r.Context(), key)
	switch {
	case err != nil:
		b.log.Error("a resource could not be read", "project", key.Project, "kind", string(key.Kind), "resource", b.names.Resource(key), "error", err)
		problem.Write(w, http.StatusServiceUnavailable, "the log could not be read: come again")
	case !ok:
		problem.Write(w, http.StatusNotFound, "the log has no event of "+key.String())
	default:
		w.Header().Set("Content-Type", "application/json")
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)              // the payload as it is stored, so that its hash can be checked
		_ = encoder.Encode(resourceOf(entry.Raw)) // the reader may be gone
	}
}
