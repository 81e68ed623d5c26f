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
	if p.lost && !p.hollow {
		return refuse(http.StatusNotFound, "There is no such resource.")
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
	total, look := 0, m.lookAt(f.list)
	for _, kind := range l.kinds {
		for _, r := range append(look.lately(p.removed[kind]), p.kinds[kind]...) {
			v := look.seen(r)
			if v == nil || l.within != nil && !l.within(r) || p.forbidden[kind] {
				continue
			}
			total++
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
			v := rows[i]
			switch {
			case !l.shows || !v.of.ended.IsZero():
			case v == v.of.now:
				return v.json(), v.entry
			case look.whole:
				m.mislead(v.of, v.state)
			}
			return v.json(), nil
		},
	}, f)
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
		body.Write(encode(nextLink(u, until, f.origin)))
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

// nextLink is the address of the next page: a path, with everything in its query percent-encoded, or the same
// below another origin.
func nextLink(u *url.URL, offset, origin int) string {
	query := u.Query()
	query.Set("$skiptoken", strconv.Itoa(offset))
	link := u.EscapedPath() + "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
	if origin > 0 {
		link = origins[origin-1](u) + link
	}
	return link
}

// origins are those of next links that somebody between MK.IO and its users gave them.
var origins = []func(*url.URL) string{
	func(u *url.URL) string { // TLS ended in front of who wrote the link
		return map[string]string{"http": "https", "https": "http"}[u.Scheme] + "://" + u.Host
	},
	func(u *url.URL) string { return u.Scheme + "://api-7.northmoor.internal:8080" },
	func(u *url.URL) string { return u.Scheme + "://" + u.Hostname() + ":8443" },
	func(u *url.URL) string { return u.Scheme + "://" + u.Hostname() + ":" + defaultPorts[u.Scheme] },
	func(u *url.URL) string { return strings.ToUpper(u.Scheme + "://" + u.Host) },
}

var defaultPorts = map[string]string{"http": "80", "https": "443"}
