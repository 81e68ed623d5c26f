package mkiofake

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mkio-bridge/internal/lifecycle"
)

// A listing is one list of the API.
type listing struct {
	kinds  []lifecycle.Kind
	label  string
	fields []string
	within func(*resource) bool // nil: all of the kinds
	shows  bool                 // its rows show states
}

// list answers for a list of resources.
func (m *MKIO) list(p *project, l listing, u *url.URL, f fate) answer {
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
	total := 0
	for _, kind := range l.kinds {
		for _, r := range append(m.lately(p.removed[kind], f), p.kinds[kind]...) {
			if l.within != nil && !l.within(r) || p.forbidden[kind] {
				continue
			}
			total++
			v := m.seen(r, f)
			if !slices.ContainsFunc(conditions, func(c condition) bool { return !c.holds(v) }) {
				rows = append(rows, v)
			}
		}
	}
	if p.hollow || f.empty {
		rows, total = nil, 0
	}
	if query.Get("$orderby") != "" {
		slices.SortStableFunc(rows, order)
	} else if len(l.kinds) > 1 {
		slices.SortFunc(rows, func(a, b *version) int { return int(a.of.order) - int(b.of.order) }) //nolint:gosec // nobody creates so many
	}
	return m.page(u, pageOf{
		label: l.label, project: p, count: len(rows), total: total,
		row: func(i int) ([]byte, *entry) {
			if l.shows && rows[i] == rows[i].of.now && rows[i].of.ended.IsZero() {
				return rows[i].json(), rows[i].entry
			}
			return rows[i].json(), nil
		},
	}, f)
}

// seen is the version of a resource that a request is shown.
func (m *MKIO) seen(r *resource, f fate) *version {
	if f.asOf > 0 && r.was != nil && r.now.since.After(m.clock.now().Add(-f.asOf)) {
		return r.was
	}
	return r.now
}

// lately returns those of removed resources that a request is still shown.
func (m *MKIO) lately(removed []*resource, f fate) []*resource {
	var shown []*resource
	for _, r := range removed {
		if f.asOf > 0 && r.ended.After(m.clock.now().Add(-f.asOf)) {
			shown = append(shown, r)
		}
	}
	return shown
}

// A pageOf is what a page is cut from.
type pageOf struct {
	label   string
	project *project // nil: of none
	count   int
	total   int
	row     func(int) ([]byte, *entry)
}

// page answers with one page: $top rows from the offset $skiptoken.
func (m *MKIO) page(u *url.URL, of pageOf, f fate) answer {
	query := u.Query()
	top, err := number(query, "$top", m.config.PageSize)
	if err != nil {
		return badRequest(err)
	}
	start, err := number(query, "$skiptoken", 0)
	if err != nil {
		return badRequest(err)
	}
	from := start
	if start > 0 {
		if f.pageFail {
			return refuse(http.StatusInternalServerError, "The request could not be completed.")
		}
		from += f.shift
	}
	from = min(from, of.count)
	until := min(from+min(top, m.config.PageSize), of.count)

	var body bytes.Buffer
	var shows []*entry
	body.WriteString(`{"value":[`)
	for i := from; i < until; i++ {
		if i > from {
			body.WriteByte(',')
		}
		row, shown := of.row(i)
		body.Write(row)
		if shown != nil {
			shows = append(shows, shown)
		}
	}
	body.WriteByte(']')
	if !f.bare {
		supplemental := object{
			"kind": of.label, "operation": "list", "count": until - from,
			"pagination": object{"start": start, "end": start + until - from, "records": until - from, "total": of.total},
		}
		if of.project != nil {
			supplemental["subscription"] = of.project.subscription()
		}
		body.WriteString(`,"supplemental":`)
		body.Write(encode(supplemental))
	}
	if until < of.count && until > from {
		body.WriteString(`,"@odata.nextLink":`)
		body.Write(encode(nextLink(u, until)))
	}
	body.WriteByte('}')
	return jsonAnswer(http.StatusOK, body.Bytes(), shows...)
}

func number(query url.Values, name string, otherwise int) (int, error) {
	text := query.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("parameter '%s' must be a non-negative integer", name)
	}
	return n, nil
}

// nextLink is the address of the next page: a path, with everything in its query percent-encoded.
func nextLink(u *url.URL, offset int) string {
	query := u.Query()
	query.Set("$skiptoken", strconv.Itoa(offset))
	return u.EscapedPath() + "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
}
