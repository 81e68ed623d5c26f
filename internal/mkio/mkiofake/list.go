package mkiofake

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mkio-bridge/internal/lifecycle"
)

// A listSpec describes one list of the API.
type listSpec struct {
	kinds    []lifecycle.Kind
	label    string
	fields   []string
	filter   func(*resource) bool // nil: all resources of the kinds
	hasState bool                 // its rows have states
}

// list responds with a list of resources.
func (m *MKIO) list(p *project, l listSpec, u *url.URL, f requestFaults) response {
	if p.outage && !p.emptyLists {
		return errorResponse(http.StatusNotFound, "There is no such resource.")
	}
	query := u.Query()
	conditions, err := parseFilter(query.Get("$filter"), l.fields)
	if err != nil {
		return badRequest(err)
	}
	order, err := parseOrder(query.Get("$orderby"), l.fields)
	if err != nil {
		return badRequest(err)
	}
	var rows []*version
	total, shown := 0, m.viewAt(f.list)
	for _, kind := range l.kinds {
		if !p.has(rightTo(kind)) {
			continue // not documented: the search may list them all the same
		}
		for _, r := range append(shown.recentlyRemoved(p.removed[kind]), p.kinds[kind]...) {
			v := shown.versionOf(r)
			if v == nil || l.filter != nil && !l.filter(r) {
				continue
			}
			total++
			if !slices.ContainsFunc(conditions, func(c condition) bool { return !c.matches(v) }) {
				rows = append(rows, v)
			}
		}
	}
	if p.emptyLists || f.emptyList {
		rows, total = nil, 0
	}
	if query.Get("$orderby") != "" {
		slices.SortStableFunc(rows, order)
	} else if len(l.kinds) > 1 {
		slices.SortFunc(rows, func(a, b *version) int { return int(a.resource.order) - int(b.resource.order) }) //nolint:gosec // orders are small
	}
	return m.page(u, pageSpec{
		label: l.label, project: p, count: len(rows), total: total,
		row: func(i int) ([]byte, *trackedChange) {
			v := rows[i]
			m.advance(v)
			switch {
			case !l.hasState || !v.resource.deletedSteady.IsZero():
			case v == v.resource.current:
				return v.rowJSON(), v.change
			case shown.replica:
				m.recordStaleRead(v.resource, v.state)
			}
			return v.rowJSON(), nil
		},
	}, f)
}

// A pageSpec describes the list that a page is cut from.
type pageSpec struct {
	label   string
	project *project // nil: none
	count   int
	total   int
	first   bool // $skiptoken is ignored: each page is the first
	row     func(int) ([]byte, *trackedChange)
}

// page responds with one page: $top rows from the offset $skiptoken.
func (m *MKIO) page(u *url.URL, spec pageSpec, f requestFaults) response {
	query := u.Query()
	top, err := intParameter(query, "$top", min(m.config.PageSize, cmp.Or(m.config.MaxTop, m.config.PageSize)))
	if err != nil {
		return badRequest(err)
	}
	start, err := intParameter(query, "$skiptoken", 0)
	if err != nil {
		return badRequest(err)
	}
	if top > m.config.MaxTop && m.config.MaxTop > 0 {
		return badRequest(fmt.Errorf("parameter '$top' must be at most %d", m.config.MaxTop))
	}
	from := start
	if spec.first {
		from = 0
	} else if start > 0 {
		if f.pageFail {
			return errorResponse(http.StatusInternalServerError, "The request could not be completed.")
		}
		from += f.shift
	}
	from = min(from, spec.count)
	until := min(from+min(top, m.config.PageSize), spec.count)

	var body bytes.Buffer
	var current []*trackedChange
	body.WriteString(`{"value":[`)
	for i := from; i < until; i++ {
		if i > from {
			body.WriteByte(',')
		}
		row, change := spec.row(i)
		body.Write(row)
		if change != nil {
			current = append(current, change)
		}
	}
	body.WriteByte(']')
	if !f.noSupplemental {
		supplemental := object{
			"kind": spec.label, "operation": "list", "count": until - from,
			"pagination": object{"start": start, "end": start + until - from, "records": until - from, "total": spec.total},
		}
		if spec.project != nil {
			supplemental["subscription"] = spec.project.subscription()
		}
		body.WriteString(`,"supplemental":`)
		body.Write(encode(supplemental))
	}
	following := until
	if spec.first {
		following += start // the link counts on
	}
	if until < spec.count && until > from {
		body.WriteString(`,"@odata.nextLink":`)
		body.Write(encode(nextLink(u, following, f.origin)))
	}
	body.WriteByte('}')
	return jsonResponse(http.StatusOK, body.Bytes(), current...)
}

func intParameter(query url.Values, name string, fallback int) (int, error) {
	text := query.Get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("parameter '%s' must be a non-negative integer", name)
	}
	return n, nil
}

// nextLink returns the link to the next page: a path with a percent-encoded query, or the same below another origin.
func nextLink(u *url.URL, offset, origin int) string {
	query := u.Query()
	query.Set("$skiptoken", strconv.Itoa(offset))
	link := u.EscapedPath() + "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
	if origin > 0 {
		link = foreignOrigins[origin-1](u) + link
	}
	return link
}

// foreignOrigins are origins that a proxy may put into next links.
var foreignOrigins = []func(*url.URL) string{
	func(u *url.URL) string { // TLS terminated in front of the author of the link
		return map[string]string{"http": "https", "https": "http"}[u.Scheme] + "://" + u.Host
	},
	func(u *url.URL) string { return u.Scheme + "://api-7.northmoor.internal:8080" },
	func(u *url.URL) string { return u.Scheme + "://" + u.Hostname() + ":8443" },
	func(u *url.URL) string { return u.Scheme + "://" + u.Hostname() + ":" + defaultPorts[u.Scheme] },
	func(u *url.URL) string { return strings.ToUpper(u.Scheme + "://" + u.Host) },
}

var defaultPorts = map[string]string{"http": "80", "https": "443"}
