package mkio

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Pages iterates over a list page by page. A page that was read is valid whatever is wrong after it: if its link to the next
// page cannot be followed, the next call fails.
type Pages struct {
	client    *Client
	list      string // of resources; "": another list
	project   string
	path      string
	query     url.Values // of the next request
	requested []string   // queries so far, to detect circular links
	more      bool
	nextErr   error // the announced next page has neither a readable link nor an offset
	lastRows  int   // of the last page, as capacity for the next
}

// maxPages limits the requests for one list.
const maxPages = 10_000

func (c *Client) pages(project, path string, query url.Values) *Pages {
	return &Pages{client: c, project: project, path: path, query: query, more: true}
}

// More reports whether there is another page. A list is complete when More is false and no page failed.
func (p *Pages) More() bool { return p.more }

// next requests the next page and returns the JSON array of its rows. After an error More is false, unless the request
// failed.
func (p *Pages) next(ctx context.Context, class Class) (rows value, a response, err error) {
	if p.nextErr != nil {
		p.more = false
		return nil, a, p.nextErr
	}
	if p.visited(p.query) || len(p.requested) == maxPages {
		p.more = false
		return nil, a, fmt.Errorf("GET %s: next links are circular or too many", p.path)
	}
	v, a, err := p.client.getObject(ctx, class, p.project, p.path, p.query)
	if p.askForLess(err) {
		refusal := err
		if v, a, err = p.client.getObject(ctx, class, p.project, p.path, p.query); err == nil {
			p.noteSmallPages()
		} else if StatusOf(err) == http.StatusBadRequest {
			err = refusal // the page size was not the reason
		}
	}
	if err != nil {
		return nil, a, err
	}
	p.requested = append(p.requested, p.query.Encode())
	o := v.object()
	if rows = o.at("value"); !rows.isArray() {
		return nil, a, fmt.Errorf("GET %s: the response has no array \"value\"", p.path)
	}
	p.advance(o, empty(rows))
	return rows, a, nil
}

// end ends the list, whatever the last page linked to.
func (p *Pages) end() { p.more, p.nextErr = false, nil }

func empty(rows value) bool {
	for range rows.elements() {
		return false
	}
	return true
}

func (p *Pages) visited(query url.Values) bool { return slices.Contains(p.requested, query.Encode()) }

// advance sets the query of the next page: from the page's link or, if the link is unreadable or circular, from the offset at
// which the page ended. An empty page ends the list, whatever it links to.
func (p *Pages) advance(page object, empty bool) {
	link := page.at("@odata.nextLink")
	text, readable := link.text()
	if p.more = !empty && !link.isNull() && (!readable || text != ""); !p.more {
		return
	}
	query, ok := p.linkQuery(text)
	if !ok || p.visited(query) {
		if offset, ok := p.offsetQuery(page.at("supplemental").object().at("pagination").object()); ok {
			p.query = offset
			return
		}
	}
	if !ok {
		p.nextErr = fmt.Errorf("GET %s: neither link nor offset of the next page can be read", p.path)
		return
	}
	p.query = query
}

// linkQuery returns the query of a link. Only the query is used: the next page is of the same list at the same address, and
// the token goes to no other host, whatever scheme, host or path the link has. ok is false for a link without a readable
// query.
func (p *Pages) linkQuery(link string) (url.Values, bool) {
	if !strings.Contains(link, "?") { // the whole link is percent-encoded
		if decoded, err := url.QueryUnescape(link); err == nil {
			link = decoded
		}
	}
	link, _, _ = strings.Cut(link, "#")
	_, text, _ := strings.Cut(link, "?")
	query, err := url.ParseQuery(text)
	if err != nil || len(query) == 0 {
		return nil, false
	}
	for name, values := range p.query { // a link may have only the offset
		if !query.Has(name) {
			query[name] = values
		}
	}
	return query, true
}

// offsetQuery returns the query of the page that begins where another ended.
func (p *Pages) offsetQuery(pagination object) (url.Values, bool) {
	var end int
	if json.Unmarshal(pagination.at("end"), &end) != nil || end <= 0 {
		return nil, false
	}
	query := maps.Clone(p.query)
	if query == nil {
		query = url.Values{}
	}
	query.Set("$skiptoken", strconv.Itoa(end))
	return query, true
}
