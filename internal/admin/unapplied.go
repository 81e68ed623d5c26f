package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/problem"
)

// An UnappliedItem is an unapplied delivery without its body.
type UnappliedItem struct {
	Sequence uint64           `json:"sequence"`
	Subject  string           `json:"subject"`
	Reason   lifecycle.Reason `json:"reason"`
	Detail   string           `json:"detail"`
	Resource string           `json:"resource,omitempty"` // its key in the state bucket; absent if the delivery names none
	Kind     lifecycle.Kind   `json:"kind,omitempty"`     // of the resource; absent too if its name is too long for a subject
	Project  string           `json:"project,omitempty"`
	Path     []string         `json:"path,omitempty"`
	Received string           `json:"received"`
	Stored   string           `json:"stored"` // since and until are compared with it
	Digest   string           `json:"digest"` // of the body as received
	Length   int              `json:"length"` // of the body as received, in bytes
}

func newUnappliedItem(names event.Names, k eventlog.Unapplied) UnappliedItem {
	item := UnappliedItem{
		Sequence: k.Sequence, Subject: k.Subject, Reason: k.Reason, Detail: k.Detail, Resource: k.Resource,
		Received: formatTime(k.Received), Stored: formatTime(k.Stored), Digest: k.Digest, Length: k.Length,
	}
	if k.Resource != "" {
		if key, _, err := names.Parse(names.Subject(k.Resource, "")); err == nil {
			item.Kind, item.Project, item.Path = key.Kind, key.Project, key.Names()
		}
	}
	return item
}

// An UnappliedView is an unapplied delivery with its body. A body that is a JSON object or array is embedded, other UTF-8 text
// is a string, and other bytes are bodyBase64.
type UnappliedView struct {
	UnappliedItem
	Cut        bool   `json:"cut"` // the stored body lacks its end
	Body       any    `json:"body,omitempty"`
	BodyBase64 []byte `json:"bodyBase64,omitempty"`
}

// NewUnappliedView returns the JSON form of a delivery, as commands print it too.
func NewUnappliedView(names event.Names, k eventlog.Unapplied) UnappliedView {
	view := UnappliedView{UnappliedItem: newUnappliedItem(names, k), Cut: k.Delivery().Cut()}
	switch {
	case !utf8.Valid(k.Body):
		view.BodyBase64 = k.Body
	case structured(k.Body):
		view.Body = json.RawMessage(k.Body)
	default:
		view.Body = string(k.Body)
	}
	return view
}

// structured reports whether a body is a JSON object or array.
func structured(body []byte) bool {
	trimmed := bytes.TrimSpace(body)
	return len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') && json.Valid(trimmed)
}

// An unappliedRequest has the parameters of GET /v1/unapplied.
type unappliedRequest struct {
	page
	query eventlog.UnappliedQuery
}

var unappliedParameters = append([]string{"reason", "kind", "project", "name", "since", "until"}, pageParameters...)

// parseUnappliedRequest parses the parameters: the filters of mkio-bridge unapplied list.
func parseUnappliedRequest(values url.Values) (u unappliedRequest, err error) {
	u.query = eventlog.UnappliedQuery{Name: values.Get("name"), NoBody: true}
	read := u.readers()
	read["kind"] = parsed(&u.query.Kinds, eventlog.ListOf(lifecycle.ParseKind))
	read["project"] = parsed(&u.query.Projects, eventlog.ParseWords)
	read["since"] = parsed(&u.query.Since, eventlog.ParseTime)
	read["until"] = parsed(&u.query.Until, eventlog.ParseTime)
	read["reason"] = parsed(&u.query.Reasons, eventlog.ListOf(lifecycle.ParseReason))
	return u, readParameters(values, read)
}

// listUnapplied answers with the unapplied deliveries that match, without their bodies, oldest first: {"items": [UnappliedItem],
// "next", "foreign"}. foreign counts the messages in the stream that no bridge stored. A cursor of another stream is 400, one
// past the end of the stream 416.
func (a *API) listUnapplied(w http.ResponseWriter, r *http.Request) {
	request, err := parseUnappliedRequest(r.URL.Query())
	if err != nil {
		problem.Write(w, http.StatusBadRequest, err.Error())
		return
	}
	bounds, err := a.c.Events.UnappliedBounds(r.Context())
	if err != nil {
		a.refuseRead(w, "unapplied deliveries", err)
		return
	}
	if request.query.After, err = request.afterSequence(bounds); err != nil {
		refusePage(w, err)
		return
	}
	names, response := a.c.Events.Names(), list[UnappliedItem]{Items: []UnappliedItem{}}
	selection, err := a.c.Events.SelectUnapplied(r.Context(), request.query, request.limit, func(k eventlog.Unapplied) error {
		response.Items = append(response.Items, newUnappliedItem(names, k))
		return nil
	})
	if err != nil {
		a.refuseRead(w, "unapplied deliveries", err)
		return
	}
	if selection.More {
		last := response.Items[len(response.Items)-1].Sequence
		response.Next = cursor{Stream: bounds.Stream, Identity: bounds.Identity, After: strconv.FormatUint(last, 10)}.String()
	}
	writeJSON(w, struct {
		list[UnappliedItem]
		Foreign int `json:"foreign,omitempty"`
	}{response, len(selection.Foreign)})
}

var unappliedBodyParameters = []string{"raw"}

// getUnapplied answers with one unapplied delivery and its body, as an UnappliedView; with raw=true with the body alone, exactly
// as stored. 404: there is none with this sequence; 422: the message is not a delivery that a bridge stored.
func (a *API) getUnapplied(w http.ResponseWriter, r *http.Request) {
	var raw bool
	if err := readParameters(r.URL.Query(), map[string]func(string) error{"raw": parsed(&raw, parseBool)}); err != nil {
		problem.Write(w, http.StatusBadRequest, err.Error())
		return
	}
	unapplied, ok := a.lookUp(w, r)
	switch {
	case !ok:
	case raw:
		w.Header().Set("Content-Type", "application/octet-stream") // never what a sender wants a browser to make of it
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(unapplied.Body) // an error means that the client is gone
	default:
		writeJSON(w, NewUnappliedView(a.c.Events.Names(), unapplied))
	}
}

// lookupTimeout limits the reading of one unapplied delivery.
const lookupTimeout = 5 * time.Second

// lookUp returns the unapplied delivery that the path of a request names. If it cannot, it writes the response; ok is false then.
func (a *API) lookUp(w http.ResponseWriter, r *http.Request) (u eventlog.Unapplied, ok bool) {
	sequence, err := strconv.ParseUint(r.PathValue("sequence"), 10, 64)
	if err != nil || sequence == 0 {
		problem.Write(w, http.StatusBadRequest, fmt.Sprintf("%q is not a sequence", r.PathValue("sequence")))
		return u, false
	}
	ctx, cancel := context.WithTimeout(r.Context(), lookupTimeout)
	defer cancel()
	u, ok, err = a.c.Events.UnappliedAt(ctx, sequence)
	switch {
	case errors.Is(err, eventlog.ErrNotUnapplied):
		problem.Write(w, http.StatusUnprocessableEntity, err.Error())
	case err != nil:
		a.refuseRead(w, fmt.Sprintf("message %d of %s", sequence, a.c.Events.Names().UnappliedStream()), err)
	case !ok:
		problem.Write(w, http.StatusNotFound, fmt.Sprintf("%s has no message %d: it was retried or deleted, or never existed", a.c.Events.Names().UnappliedStream(), sequence))
	}
	return u, ok && err == nil
}
