package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/problem"
)

var auditParameters = append([]string{"kind", "project", "since", "until", "marks"}, pageParameters...)

// An auditView is the response of GET /v1/audit. Complete and reason are about all that matches, not about the page.
type auditView struct {
	list[audit.Coverage]
	Complete bool       `json:"complete"`         // the whole period is proven for the kinds that are polled, except for ends that are pending
	Reason   string     `json:"reason,omitempty"` // why no item proves anything
	Since    *time.Time `json:"since,omitempty"`  // the requested period; without since, each item begins with its first record
	Until    time.Time  `json:"until"`
}

// getAudit answers what the sweeps of a period prove about each project and kind: an auditView, whose items are those of
// mkio-bridge audit, ordered by project and kind. Filters are kind and project; the default period is everything up to now; marks is
// how many starts of sweeps an item has at most. The other pages of a list are about the same period as its first one.
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
	query.Samples = a.samples
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
	maps.Copy(read, periodReaders(&q))
	read["marks"] = parsed(&q.Marks, parseMarks)
	if err := readParameters(values, read); err != nil {
		return q, p, err
	}
	if p.after != (cursor{}) {
		if q.Since, q.Until, err = p.after.period(); err != nil {
			return q, p, err
		}
	}
	err = q.Period()
	return q, p, err
}

// periodReaders returns readers of the parameters that select a period and kind, for [readParameters].
func periodReaders(q *audit.Query) map[string]func(string) error {
	return map[string]func(string) error{
		"kind":  parsed(&q.Kind, lifecycle.ParseKind),
		"since": parsed(&q.Since, eventlog.ParseTime),
		"until": parsed(&q.Until, eventlog.ParseTime),
	}
}

// maxMarks is how many starts of sweeps an item can have: more than a drawing of a period has room for.
const maxMarks = 200

func parseMarks(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxMarks {
		return 0, fmt.Errorf("%.20q must be a number from 0 to %d", text, maxMarks)
	}
	return n, nil
}

// samples returns a resource of each project and kind with events, from the cache; while that is being filled, from the log.
func (a *API) samples(ctx context.Context, project string, kind lifecycle.Kind) ([]lifecycle.Key, error) {
	if a.c.Heads.LogIdentity() == "" {
		return a.c.Events.Samples(ctx, project, kind)
	}
	var samples []lifecycle.Key
	for after := ""; ; {
		resource, more := a.firstAfter(kind, project, after)
		if !more {
			return samples, nil
		}
		key, err := a.c.Events.KeyOf(ctx, resource)
		if err != nil {
			return nil, err
		}
		samples = append(samples, key)
		tokens := strings.SplitN(resource, ".", 3)
		after = tokens[0] + "." + tokens[1] + "/" // "/" follows ".", so all tokens of the project and kind are before it
	}
}

// firstAfter returns the first token after another one in the cache. An empty kind or project matches any.
func (a *API) firstAfter(kind lifecycle.Kind, project, after string) (resource string, ok bool) {
	var kinds []lifecycle.Kind
	if kind != "" {
		kinds = append(kinds, kind)
	}
	var projects []string
	if project != "" {
		projects = append(projects, project)
	}
	for resource := range a.c.Heads.Sorted(kinds, projects, after) {
		return resource, true
	}
	return "", false
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
