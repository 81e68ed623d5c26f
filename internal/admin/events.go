package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/problem"
)

// Limits of a page of events, besides its number of items.
const (
	maxPageBytes = 1 << 20 // of payloads: a page is in memory until the client has read it
	maxCompared  = 100_000 // events that the bridge compares with phase, or with a period by=time
)

// getEvents writes events: as a stream, or with follow=false one page.
func (a *API) getEvents(w http.ResponseWriter, r *http.Request) {
	values := r.URL.Query()
	follow := true
	err := readParameters(values, map[string]func(string) error{"follow": parsed(&follow, parseBool)})
	switch {
	case err != nil:
		problem.Write(w, http.StatusBadRequest, err.Error())
	case follow:
		a.readers.following(a.streamEvents)(w, r)
	default:
		a.readers.limited(func(w http.ResponseWriter, r *http.Request) { a.pageEvents(w, r, values) })(w, r)
	}
}

// An eventsRequest has the parameters of a GET /v1/events?follow=false.
type eventsRequest struct {
	page
	query eventlog.Query
	from  uint64 // 0: not set
}

func parseEventsRequest(values url.Values) (eventsRequest, error) {
	query, err := parseQuery(values)
	request := eventsRequest{query: query}
	err = errors.Join(err, readRange(values, &request.query, &request.from), readParameters(values, request.readers()))
	if values.Get("unnamed") != "" {
		err = errors.Join(err, errors.New("unnamed is for a stream of events: leave it out, or follow=false"))
	}
	return request, errors.Join(err, checkRange(request.query, request.from))
}

// startIn sets the sequence at which the page begins. A position outside the log is an [*eventlog.OutsideError].
func (e *eventsRequest) startIn(bounds eventlog.Bounds) error {
	after, err := e.afterSequence(bounds)
	if err != nil {
		return err
	}
	e.query.From = e.from
	if after > 0 {
		e.query.From = after + 1
	}
	if e.query.From == 0 {
		return nil
	}
	return bounds.CheckFrom(e.query.From)
}

// pageEvents writes one page of the events that match a query, oldest first: from the sequence from, from the time since, behind the
// cursor after, else from the beginning of the log.
func (a *API) pageEvents(w http.ResponseWriter, r *http.Request, values url.Values) {
	request, err := parseEventsRequest(values)
	if err != nil {
		problem.Write(w, http.StatusBadRequest, err.Error())
		return
	}
	bounds, err := a.c.Events.Bounds(r.Context())
	if err != nil {
		a.refuseRead(w, "the log", err)
		return
	}
	if err := request.startIn(bounds); err != nil {
		refusePage(w, err)
		return
	}
	events, err := a.c.Events.WithSmallPrefetch().Page(r.Context(), request.query, eventlog.PageLimits{
		Events: request.limit, Bytes: maxPageBytes, Compared: maxCompared,
	})
	if err == nil {
		err = checkPayloads(events.Events)
	}
	if r.Context().Err() != nil {
		return // the client is gone
	}
	if err != nil {
		a.refuseRead(w, "the log", err)
		return
	}
	next := ""
	if events.Next > 0 {
		next = cursor{Stream: bounds.Stream, Identity: bounds.Identity, After: strconv.FormatUint(events.Next-1, 10)}.String()
	}
	writeEvents(w, events.Events, next)
}

// checkPayloads returns an error if a payload is no JSON, so that a response with it would be none: somebody else has written to the
// log.
func checkPayloads(events []eventlog.Raw) error {
	for _, e := range events {
		if !json.Valid(e.Payload) {
			return fmt.Errorf("message %d on %s is not an event", e.Sequence, e.Subject)
		}
	}
	return nil
}

// writeEvents writes a [list] of [resource], with payloads byte for byte as stored: encoding/json would compact them, and then
// their hash could not be checked.
func writeEvents(w http.ResponseWriter, events []eventlog.Raw, next string) {
	b := []byte(`{"items":[`)
	for i, e := range events {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, "\n"+`{"sequence":`...)
		b = strconv.AppendUint(b, e.Sequence, 10)
		b = append(b, `,"subject":`...)
		subject, _ := json.Marshal(e.Subject) // a string can always be encoded
		b = append(b, subject...)
		b = append(b, `,"event":`...)
		b = append(append(b, e.Payload...), '}')
	}
	b = append(b, ']')
	if next != "" {
		b = append(b, `,"next":"`+next+`"`...)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, "}\n"...)) // an error means that the client is gone
}
