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

// Pages walks a list page by page.
type Pages struct {
	client  *Client
	project string
	path    string
	query   url.Values
	asked   []string // the requests so far, so that links in a circle end
	more    bool
	rows    int // of the last page: the next is likely to have as many
}

// maxPages bounds a walk.
const maxPages = 10_000

func (c *Client) pages(project, path string, query url.Values) *Pages {
	return &Pages{client: c, project: project, path: path, query: query, more: true}
}

// More says whether there is another page. A list has been walked to its end when this is false and
// no page failed.
func (p *Pages) More() bool { return p.more }

// next asks for the next page and returns the array of its rows.
func (p *Pages) next(ctx context.Context, class Class) (rows value, a answer, err error) {
	here := p.path + "?" + p.query.Encode()
	if slices.Contains(p.asked, here) || len(p.asked) == maxPages {
		p.more = false
		return nil, answer{}, fmt.Errorf("GET %s: the links from page to page do not end", p.path)
	}
	v, a, err := p.client.get(ctx, class, p.project, p.path, p.query)
	if err != nil {
		return nil, a, err
	}
	p.asked = append(p.asked, here)
	o := v.object()
	if rows = o.at("value"); !rows.isArray() {
		return nil, a, fmt.Errorf("GET %s: the answer has no list of values", p.path)
	}
	link, more := o.text("@odata.nextLink")
	if !more && !o.at("@odata.nextLink").null() {
		return nil, a, fmt.Errorf("GET %s: @odata.nextLink is not a string", p.path)
	}
	p.more = link != ""
	if !p.more {
		return rows, a, nil
	}
	return rows, a, p.follow(link, o.at("supplemental").object().at("pagination").object())
}

// follow turns to the page that a link leads to. The link's path is not followed: what follows a page is of the same
// list, and rows of another would be taken for its own. Where the link cannot be read the offset at which the page
// ended does as well.
func (p *Pages) follow(link string, pagination object) error {
	base := p.client.base
	if !strings.ContainsAny(link, "?/") { // it came encoded as a whole
		if decoded, err := url.QueryUnescape(link); err == nil {
			link = decoded
		}
	}
	u, err := url.Parse(link)
	if err != nil || u.RawQuery == "" {
		return p.skip(pagination)
	}
	if u.IsAbs() && u.Scheme != base.Scheme || u.Host != "" && u.Host != base.Host || u.User != nil {
		return fmt.Errorf("GET %s: the link to the next page leads to %s://%s, and the token is for %s alone", p.path, u.Scheme, u.Host, base.Host)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return p.skip(pagination)
	}
	for name, values := range p.query { // a link may bring the offset alone
		if !query.Has(name) {
			query[name] = values
		}
	}
	p.query = query
	return nil
}

func (p *Pages) skip(pagination object) error {
	var end int
	if json.Unmarshal(pagination.at("end"), &end) != nil || end <= 0 {
		return fmt.Errorf("GET %s: there is another page, and neither its link nor its offset can be read", p.path)
	}
	query := url.Values{}
	maps.Copy(query, p.query)
	query.Set("$skiptoken", strconv.Itoa(end))
	p.query = query
	return nil
}
