package admin

import (
	"errors"
	"net/http"
	"net/url"
	"sort"
	"time"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/problem"
)

var auditParameters = append([]string{"kind", "project", "since", "until"}, pageParameters...)

// An auditView is the response of GET /v1/audit. Complete and reason are about all that matches, not about the page.
type auditView struct {
	list[audit.Coverage]
	Complete bool       `json:"complete"`         // the whole period is proven, except for ends that are pending
	Reason   string     `json:"reason,omitempty"` // why there are no items
	Since    *time.Time `json:"since,omitempty"`  // the requested period; without since, each item begins with its first record
	Until    time.Time  `json:"until"`
}

// getAudit answers what the sweeps of a period prove about each project and kind: an auditView, whose items are those of
// mkio-bridge audit, ordered by project and kind. Filters are kind and project; the default period is everything up to now. The
// other pages of a list are about the same period as its first one.
func (a *API) getAudit(w http.ResponseWriter, r *http.Request) {
	query, page, err := parseAuditRequest(r.URL.Query())
	if err != nil {
		problem.Write(w, http.StatusBadRequest, err.Error())
		return
	}
	bounds, err := a.c.Events.Bounds(r.Context())
	if err != nil {
		a.refuseRead(w, "the coverage", err)
		return
	}
	if err := page.after.check(bounds.Stream, bounds.Identity); err != nil {
		refusePage(w, err)
		return
	}
	covers, err := audit.Coverages(r.Context(), a.c.Events, query)
	none := errors.Is(err, audit.ErrNoSweep) || errors.Is(err, audit.ErrBeforeFirstSweep)
	if err != nil && !none {
		a.refuseRead(w, "the coverage", err)
		return
	}
	view := auditView{Complete: audit.Complete(covers), Until: query.Until.UTC()}
	if none {
		view.Reason = err.Error()
	}
	if !query.Since.IsZero() {
		since := query.Since.UTC()
		view.Since = &since
	}
	begin := sort.Search(len(covers), func(i int) bool { return coverageKey(covers[i]) > page.after.After })
	end := min(begin+page.limit, len(covers))
	view.Items = append([]audit.Coverage{}, covers[begin:end]...)
	if end < len(covers) {
		view.Next = cursor{
			Stream: bounds.Stream, Identity: bounds.Identity, After: coverageKey(covers[end-1]),
			Since: formatBound(query.Since), Until: formatBound(query.Until),
		}.String()
	}
	writeJSON(w, view)
}

// coverageKey is what a list of coverages is ordered by. NUL is in no project's name.
func coverageKey(c audit.Coverage) string { return c.Project + "\x00" + string(c.Kind) }

// parseAuditRequest parses the parameters.
func parseAuditRequest(values url.Values) (q audit.Query, p page, err error) {
	q = audit.Query{Project: values.Get("project"), Now: time.Now()}
	read := p.readers()
	read["kind"] = parsed(&q.Kind, lifecycle.ParseKind)
	read["since"] = parsed(&q.Since, eventlog.ParseTime)
	read["until"] = parsed(&q.Until, eventlog.ParseTime)
	if err := readParameters(values, read); err != nil {
		return q, p, err
	}
	if q.Until.IsZero() {
		q.Until = q.Now
	}
	if p.after != (cursor{}) {
		if q.Since, q.Until, err = p.after.period(); err != nil {
			return q, p, err
		}
	}
	if !q.Since.Before(q.Until) {
		return q, p, errors.New("since must be before until")
	}
	return q, p, nil
}

// period returns the period of the list that the cursor is of.
func (c cursor) period() (since, until time.Time, err error) {
	var wrong [2]error
	if c.Since != "" {
		since, wrong[0] = time.Parse(time.RFC3339Nano, c.Since)
	}
	until, wrong[1] = time.Parse(time.RFC3339Nano, c.Until)
	if errors.Join(wrong[:]...) != nil {
		return since, until, errors.New("after: it is not a cursor of this list: send next of the page before")
	}
	return since, until, nil
}

// formatBound returns the beginning or end of a period for a cursor; "" if it is zero.
func formatBound(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
