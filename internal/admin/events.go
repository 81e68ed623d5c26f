package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
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
	query  eventlog.Query
	from   uint64 // 0: not set
	tail   int    // the last events instead of the first; 0: not set
	before cursor // of last events: those before it
	chain  bool   // check how each event continues the one before
}

func parseEventsRequest(values url.Values) (eventsRequest, error) {
	query, err := parseQuery(values)
	request := eventsRequest{query: query}
	read := request.readers()
	read["tail"], read["before"] = parsed(&request.tail, parseLimit), parsed(&request.before, parseBefore)
	read["chain"] = parsed(&request.chain, parseBool)
	err = errors.Join(err, readRange(values, &request.query, &request.from), readParameters(values, read))
	if values.Get("unnamed") != "" {
		err = errors.Join(err, errors.New("unnamed is for a stream of events: leave it out, or follow=false"))
	}
	if request.tail > 0 && (values.Get("limit") != "" || values.Get("after") != "") {
		err = errors.Join(err, errors.New("tail excludes limit and after: it is the limit, and before continues"))
	}
	if request.tail == 0 && values.Get("before") != "" {
		err = errors.Join(err, errors.New("before continues a page of last events: add tail"))
	}
	return request, errors.Join(err, checkRange(request.query, request.from), request.checkChain())
}

// checkChain returns an error if chain is set and the items would not be successive events of one resource.
func (e *eventsRequest) checkChain() error {
	q := e.query
	switch selects := len(q.States)+len(q.Phases)+len(q.Vias) > 0 || q.By == eventlog.ByTime; {
	case !e.chain:
		return nil
	case q.Resource == nil:
		return errors.New("chain compares successive events of one resource: add resource")
	case selects:
		return errors.New("chain compares successive events: leave out state, phase, via and by=time")
	}
	return nil
}

// startIn sets the sequences between which the page is. A position outside the log is an [*eventlog.OutsideError].
func (e *eventsRequest) startIn(bounds eventlog.Bounds) error {
	after, err := e.afterSequence(bounds)
	if err != nil {
		return err
	}
	e.query.From = e.from
	if after > 0 {
		e.query.From = after + 1
	}
	if e.query.From > 0 {
		if err := bounds.CheckFrom(e.query.From); err != nil {
			return err
		}
	}
	return e.endIn(bounds)
}

// endIn sets the sequence at which a page of last events ends, if the request has a cursor. Events before it may have aged out.
func (e *eventsRequest) endIn(bounds eventlog.Bounds) error {
	if err := e.before.check(bounds.Stream, bounds.Identity); err != nil || e.before == (cursor{}) {
		return err
	}
	before, err := parseFrom(e.before.Before)
	if err != nil {
		return fmt.Errorf("before: %w", err)
	}
	if before > bounds.Last {
		return &eventlog.OutsideError{Sequence: before, Bounds: bounds}
	}
	e.query.To = before - 1
	if e.query.To == 0 {
		return errors.New("before: no event is before the first: send previous of the page after")
	}
	return nil
}

// An eventsPage is a page of events, and the cursors of its neighbours.
type eventsPage struct {
	events         []eventlog.Raw
	links          []audit.Link // of each event; nil if they are not asked for
	next, previous string       // ""; there is none
}

// pageEvents writes one page of the events that match a query, oldest first: from the sequence from, from the time since, behind the
// cursor after, else from the beginning of the log; with tail the last events, before the cursor before.
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
	page, err := a.readEvents(r.Context(), request, bounds)
	if err == nil {
		err = checkPayloads(page.events)
	}
	if r.Context().Err() != nil {
		return // the client is gone
	}
	if err != nil {
		a.refuseRead(w, "the log", err)
		return
	}
	writeEvents(w, page)
}

// readEvents reads a page from the log.
func (a *API) readEvents(ctx context.Context, request eventsRequest, bounds eventlog.Bounds) (page eventsPage, err error) {
	log, limits := a.c.Events.WithSmallPrefetch(), eventlog.PageLimits{Events: request.limit, Bytes: maxPageBytes, Compared: maxCompared}
	at := cursor{Stream: bounds.Stream, Identity: bounds.Identity}
	if request.tail > 0 {
		limits.Events = request.tail
		last, err := log.LastPage(ctx, request.query, bounds, limits)
		if err != nil {
			return page, err
		}
		page.events = last.Events
		if last.Before > 0 {
			at.Before = strconv.FormatUint(last.Before, 10)
			page.previous = at.String()
		}
	} else {
		first, err := log.Page(ctx, request.query, limits)
		if err != nil {
			return page, err
		}
		page.events = first.Events
		if first.Next > 0 {
			at.After = strconv.FormatUint(first.Next-1, 10)
			page.next = at.String()
		}
	}
	if request.chain {
		page.links, err = linksOf(ctx, log, *request.query.Resource, page.events, bounds)
	}
	return page, err
}

// linksOf checks successive events of a resource, the first one against the one before it in the log.
func linksOf(ctx context.Context, log *eventlog.Log, resource lifecycle.Key, events []eventlog.Raw, bounds eventlog.Bounds) ([]audit.Link, error) {
	if len(events) == 0 {
		return nil, nil
	}
	var before *eventlog.Raw
	if first := events[0].Sequence; first > bounds.First {
		query := eventlog.Query{Resource: &resource, To: first - 1}
		last, err := log.LastPage(ctx, query, bounds, eventlog.PageLimits{Events: 1, Bytes: maxPageBytes, Compared: maxCompared})
		if err != nil {
			return nil, err
		}
		if len(last.Events) > 0 {
			before = &last.Events[0]
		}
	}
	return audit.Links(log.Names(), bounds.First, before, events), nil
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
func writeEvents(w http.ResponseWriter, page eventsPage) {
	b := []byte(`{"items":[`)
	for i, e := range page.events {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, "\n"+`{"sequence":`...)
		b = strconv.AppendUint(b, e.Sequence, 10)
		b = appendMember(b, "subject", e.Subject)
		if page.links != nil {
			b = appendMember(b, "chain", string(page.links[i].Mark))
			b = appendMember(b, "chainReason", page.links[i].Reason)
		}
		b = append(b, `,"event":`...)
		b = append(append(b, e.Payload...), '}')
	}
	b = append(b, ']')
	b = appendMember(b, "next", page.next)
	b = appendMember(b, "previous", page.previous)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, "}\n"...)) // an error means that the client is gone
}

// appendMember appends a member of a JSON object that has others before it, unless the text is "".
func appendMember(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	value, _ := json.Marshal(text) // a string can always be encoded
	return append(append(b, `,"`+name+`":`...), value...)
}
