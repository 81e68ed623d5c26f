package mkio

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Pages walks a list page by page. A page that was read is good whatever is wrong with what follows it: where nothing
// leads from it to the next, the walk goes on and fails there.
type Pages struct {
	client  *Client
	project string
	path    string
	query   url.Values // of the next request
	asked   []string   // the requests so far, so that links in a circle end
	more    bool
	lost    error // another page is announced, and nothing says how to ask for it
	rows    int   // of the last page: the next is likely to have as many
}

// maxPages bounds a walk.
const maxPages = 10_000

func (c *Client) pages(project, path string, query url.Values) *Pages {
	return &Pages{client: c, project: project, path: path, query: query, more: true}
}

// More says whether there is another page. A list has been walked to its end when this is false and
// no page failed.
func (p *Pages) More() bool { return p.more }

// next asks for the next page and returns the array of its rows. A walk that failed has ended.
func (p *Pages) next(ctx context.Context, class Class) (rows value, a answer, err error) {
	if p.lost != nil {
		p.more = false
		return nil, a, p.lost
	}
	if p.visited(p.query) || len(p.asked) == maxPages {
		p.more = false
		return nil, a, fmt.Errorf("GET %s: the links from page to page do not end", p.path)
	}
	v, a, err := p.client.get(ctx, class, p.project, p.path, p.query)
	if err != nil {
		return nil, a, err
	}
	p.asked = append(p.asked, p.query.Encode())
	o := v.object()
	if rows = o.at("value"); !rows.isArray() {
		return nil, a, fmt.Errorf("GET %s: the answer has no list of values", p.path)
	}
	p.turn(o, empty(rows))
	return rows, a, nil
}

func empty(rows value) bool {
	for range rows.elements() {
		return false
	}
	return true
}

func (p *Pages) visited(query url.Values) bool { return slices.Contains(p.asked, query.Encode()) }

// turn looks for the page that follows one: by its link, else, where the link cannot be read or leads back, by the
// offset at which the page ended. An empty page is the end, whatever it links to.
func (p *Pages) turn(page object, empty bool) {
	link := page.at("@odata.nextLink")
	text, readable := link.text()
	if p.more = !empty && !link.null() && (!readable || text != ""); !p.more {
		return
	}
	query, ok := p.linked(text)
	if !ok || p.visited(query) {
		if offset, ok := p.offset(page.at("supplemental").object().at("pagination").object()); ok {
			p.query = offset
			return
		}
	}
	if !ok {
		p.lost = fmt.Errorf("GET %s: there is another page, and neither its link nor its offset can be read", p.path)
		return
	}
	p.query = query
}

// linked is the query that a link has, which is all that is used of it: what follows a page is of the same list at the
// same address, and the token goes nowhere else, whatever scheme, host or path the link has. It is false for a link
// without a query that can be read.
func (p *Pages) linked(link string) (url.Values, bool) {
	if !strings.Contains(link, "?") { // it came encoded as a whole
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
	for name, values := range p.query { // a link may have the offset alone
		if !query.Has(name) {
			query[name] = values
		}
	}
	return query, true
}

// offset is the query of the page that begins where another ended.
func (p *Pages) offset(pagination object) (url.Values, bool) {
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
