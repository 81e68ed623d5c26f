package admin

import (
	"context"
	"net/http"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/problem"
)

// A row is a resource in a list: its recorded state, without the event's payload. Every bridge of a log answers with the same
// rows.
type row struct {
	Key               string          `json:"key"` // in the state bucket; lists are in its order
	Kind              lifecycle.Kind  `json:"kind"`
	Project           string          `json:"project"`
	Name              string          `json:"name"`
	Path              []string        `json:"path"` // all names of the resource, as in the path of /v1/resources/{kind}/{project}/{name…}
	State             string          `json:"state"`
	Phase             lifecycle.Phase `json:"phase"`
	ProvisioningState string          `json:"provisioningState,omitempty"`
	Since             string          `json:"since,omitempty"` // the last event's time; absent if no header of the event has it
	Sequence          uint64          `json:"sequence"`        // of the last event
	Via               lifecycle.Via   `json:"via"`
	LatenessSeconds   *float64        `json:"latenessSeconds,omitempty"` // see [lateness]
	ProgressPercent   *int            `json:"progressPercent,omitempty"` // of a running job, if it is known
}

// newRow returns the row of a resource, given its token, key and last event.
func newRow(resource string, key lifecycle.Key, last *lifecycle.Fact) row {
	r := row{
		Key: resource, Kind: key.Kind, Project: key.Project, Name: key.Name(), Path: key.Names(),
		State: last.State, Phase: lifecycle.PhaseOf(key.Kind, last.State, last.Provisioning), ProvisioningState: last.Provisioning,
		Sequence: last.Sequence, Via: last.Via, LatenessSeconds: lateness(last),
	}
	if at := last.Since(); !at.IsZero() {
		r.Since = formatTime(at)
	}
	return r
}

// lateness returns how long after MK.IO's time of the change the event was recorded, in seconds; nil if MK.IO gave no time, or if a
// bridge wrote the event that did not yet put the time of recording into a header. It is not less than 0, though clocks may differ.
func lateness(last *lifecycle.Fact) *float64 {
	if !last.TimeFromMKIO() || last.Recorded.IsZero() {
		return nil
	}
	seconds := max(last.Recorded.Sub(last.Since()), 0).Round(time.Millisecond).Seconds()
	return &seconds
}

// listRows writes one page of rows, from the cache.
func (a *API) listRows(w http.ResponseWriter, r *http.Request, request resourceRequest) {
	identity := a.c.Heads.LogIdentity()
	if identity == "" {
		w.Header().Set("Retry-After", "1")
		problem.Write(w, http.StatusServiceUnavailable, "the last events are being read from the log: retry later")
		return
	}
	bucket := a.c.Events.Names().StateStream()
	if err := request.after.check(bucket, identity); err != nil {
		refusePage(w, err)
		return
	}
	var rows []row
	var more bool
	err := a.readers.listing(r.Context(), func() (err error) {
		rows, more, err = a.rowsAfter(r.Context(), request)
		return err
	})
	if r.Context().Err() != nil {
		return // the client is gone
	}
	if err != nil {
		a.refuseRead(w, "resources", err)
		return
	}
	response := list[row]{Items: rows}
	if more {
		response.Next = cursor{Stream: bucket, Identity: identity, After: rows[len(rows)-1].Key}.String()
	}
	writeJSON(w, response)
}

// rowsAfter returns the rows of a page, and whether there are more.
func (a *API) rowsAfter(ctx context.Context, request resourceRequest) (rows []row, more bool, err error) {
	rows = []row{}
	matches, now := request.query.Matcher(), time.Now()
	for resource, last := range a.c.Heads.Sorted(request.query.Kinds, request.query.Projects, request.after.After) {
		if !matches(resource, last) || request.stuck && !a.c.Heads.IsStuck(event.KindOf(resource), *last, now) {
			continue
		}
		if len(rows) == request.limit {
			return rows, true, nil
		}
		key, err := a.c.Events.KeyOf(ctx, resource)
		if err != nil {
			return nil, false, err
		}
		r := newRow(resource, key, last)
		r.ProgressPercent = a.progress(resource, key.Kind, last)
		rows = append(rows, r)
	}
	return rows, false, nil
}

// progress returns how far a resource is, in percent; nil if it is not a running job, or if that is not known.
func (a *API) progress(resource string, kind lifecycle.Kind, last *lifecycle.Fact) *int {
	if a.c.Progress == nil || !lifecycle.HasProgress(kind, last.State) {
		return nil
	}
	p, known := a.c.Progress(resource)
	if !known || !p.IsOf(kind, last.State, last.Life) {
		return nil
	}
	return &p.Percent
}
