package mkio

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A List is one list endpoint of MK.IO's API.
type List struct {
	Project  string
	Kinds    []lifecycle.Kind // of the rows that are read
	Parent   lifecycle.Key    // of live outputs and scheduled operations; zero for project-wide lists
	endpoint listEndpoint
}

// A listEndpoint describes a list endpoint and its filters.
type listEndpoint struct {
	kinds        []lifecycle.Kind
	path         string // below the project, of project-wide lists
	changedField string // filter field of the modification time
	stateField   string // filter field of the state; "": no such filter
}

// listEndpoints has the cheapest list of each kind.
var listEndpoints = []listEndpoint{
	{kinds: []lifecycle.Kind{lifecycle.Job}, path: "media/jobs", changedField: "properties/lastModified", stateField: "properties/state"},
	{kinds: liveKinds, path: "live/search", changedField: "updated", stateField: "status/state"},
	{kinds: []lifecycle.Kind{lifecycle.LiveEvent}, path: "media/liveEvents", changedField: "properties/lastModified", stateField: "properties/resourceState"},
	{kinds: []lifecycle.Kind{lifecycle.StreamingEndpoint}, path: "media/streamingEndpoints", changedField: "properties/lastModified", stateField: "properties/resourceState"},
	{kinds: []lifecycle.Kind{lifecycle.StreamingLocator}, path: "media/streamingLocators", changedField: "updated"},
	{kinds: []lifecycle.Kind{lifecycle.Asset}, path: "media/assets", changedField: "properties/lastModified"},
	{kinds: []lifecycle.Kind{lifecycle.ContentKeyPolicy}, path: "media/contentKeyPolicies", changedField: "properties/lastModified"},
	{kinds: []lifecycle.Kind{lifecycle.Storage}, path: "media/storage", changedField: "updated", stateField: "privateLinkServiceConnectionStatus"},
	{kinds: []lifecycle.Kind{lifecycle.Source}, path: "media/sources", changedField: "updated", stateField: "status/state"},
	{kinds: []lifecycle.Kind{lifecycle.Content}, path: "media/content", changedField: "updated"},
	{kinds: []lifecycle.Kind{lifecycle.Destination}, path: "media/destinations", changedField: "updated"},
	{kinds: []lifecycle.Kind{lifecycle.LiveOutput}},
	{kinds: []lifecycle.Kind{lifecycle.ScheduledOperation}},
}

// liveKinds are the kinds of the Live API, which one search lists together.
var liveKinds = []lifecycle.Kind{
	lifecycle.LiveChannel, lifecycle.LiveAPIEvent, lifecycle.StaticMultiviewChannel, lifecycle.StaticMultiviewEvent,
}

// parents has the kinds of the parents of each child kind.
var parents = []struct {
	child lifecycle.Kind
	kinds []lifecycle.Kind
}{
	{lifecycle.LiveOutput, []lifecycle.Kind{lifecycle.LiveEvent}},
	{lifecycle.ScheduledOperation, liveKinds},
}

// ParentKinds returns the kinds of parents of a kind; none for a kind directly below a project.
func ParentKinds(child lifecycle.Kind) []lifecycle.Kind { return slices.Clone(parentKinds(child)) }

func parentKinds(child lifecycle.Kind) []lifecycle.Kind {
	for _, p := range parents {
		if p.child == child {
			return p.kinds
		}
	}
	return nil
}

// ChildKinds returns the kinds of children of the given kinds.
func ChildKinds(of []lifecycle.Kind) []lifecycle.Kind {
	var found []lifecycle.Kind
	for _, p := range parents {
		if slices.ContainsFunc(p.kinds, func(k lifecycle.Kind) bool { return slices.Contains(of, k) }) {
			found = append(found, p.child)
		}
	}
	return found
}

// Lists returns the project-wide lists of the given kinds. Live outputs and scheduled operations have none: see [ListBelow].
func Lists(project string, kinds []lifecycle.Kind) []List {
	var found []List
	for _, s := range listEndpoints {
		wanted := slices.DeleteFunc(slices.Clone(s.kinds), func(k lifecycle.Kind) bool { return !slices.Contains(kinds, k) })
		if s.path != "" && len(wanted) > 0 {
			found = append(found, List{Project: project, Kinds: wanted, endpoint: s})
		}
	}
	return found
}

// ListBelow returns the list of a parent's children: the live outputs of a live event, or the scheduled
// operations of a resource of the Live API.
func ListBelow(parent lifecycle.Key) (List, bool) {
	children := ChildKinds([]lifecycle.Kind{parent.Kind})
	if len(children) == 0 {
		return List{}, false
	}
	i := slices.IndexFunc(listEndpoints, func(s listEndpoint) bool { return s.kinds[0] == children[0] })
	return List{Project: parent.Project, Kinds: listEndpoints[i].kinds, Parent: parent, endpoint: listEndpoints[i]}, true
}

// ParentOf returns the parent of a resource; false for one directly below a project.
func ParentOf(key lifecycle.Key) (lifecycle.Key, bool) {
	kinds := parentKinds(key.Kind)
	if len(kinds) == 0 {
		return lifecycle.Key{}, false
	}
	kind, names := kinds[0], key.Names()
	if len(kinds) > 1 { // the first name is the parent's kind
		kind, names = lifecycle.Kind(names[0]), names[1:]
	}
	parent, err := lifecycle.NewKey(kind, key.Project, names[0])
	return parent, err == nil
}

// String names a list for logs and metrics.
func (l List) String() string {
	if l.endpoint.path != "" {
		return l.endpoint.path
	}
	return string(l.Kinds[0])
}

// FiltersByState reports whether the list can be filtered by state.
func (l List) FiltersByState() bool { return l.endpoint.stateField != "" }

// FiltersByChange reports whether the list can be filtered by modification time.
func (l List) FiltersByChange() bool { return l.endpoint.changedField != "" }

// Stateless reports whether the list's rows lack the state: [Client.State] reads it.
func (l List) Stateless() bool {
	p, ok := locationOf(lifecycle.Key{Kind: l.Kinds[0]})
	return ok && p.state == memberPath{}
}

func (l List) path() (string, bool) {
	if l.endpoint.path != "" {
		return "/api/v1/projects/" + url.PathEscape(l.Project) + "/" + l.endpoint.path, true
	}
	above, _, ok := Path(l.Parent)
	if l.Kinds[0] == lifecycle.LiveOutput {
		return above + "/liveOutputs", ok
	}
	return above + "/scheduledOperations", ok
}

// A Filter narrows a list. The zero Filter selects all rows.
type Filter struct {
	Since time.Time // modified at or after
	State string    // "": any
}

// PageSize is how many rows one request asks for: MK.IO documents no bound, and its sibling's is 1000. A list that refuses it is
// asked for smallPageSize rows instead.
const (
	PageSize      = 1000
	smallPageSize = 200
)

// Pages returns the pages of a list, ordered by modification time, so that a row that changes meanwhile moves to a later
// page and is not skipped.
func (c *Client) Pages(l List, f Filter) (*Pages, bool) {
	path, ok := l.path()
	query := url.Values{"$top": {strconv.Itoa(c.pageSize(l.String()))}}
	if l.endpoint.changedField != "" {
		query.Set("$orderby", l.endpoint.changedField+" asc")
	}
	if !f.Since.IsZero() {
		query.Set("$filter", l.endpoint.changedField+" ge "+f.Since.UTC().Format("2006-01-02T15:04:05Z"))
	}
	if f.State != "" {
		query.Set("$filter", l.endpoint.stateField+" eq '"+f.State+"'")
	}
	pages := c.pages(l.Project, path, query)
	pages.list = l.String()
	return pages, ok
}

// pageSize returns how many rows a request for a list asks for.
func (c *Client) pageSize(list string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.smallPages[list] {
		return smallPageSize
	}
	return PageSize
}

// askForLess reports whether the first page of a list is asked for again with fewer rows, after a 400.
func (p *Pages) askForLess(err error) bool {
	if StatusOf(err) != http.StatusBadRequest || len(p.requested) > 0 || p.query.Get("$top") != strconv.Itoa(PageSize) {
		return false
	}
	p.query.Set("$top", strconv.Itoa(smallPageSize))
	return true
}

// noteSmallPages has later requests for the list ask for fewer rows at once.
func (p *Pages) noteSmallPages() {
	p.client.mu.Lock()
	defer p.client.mu.Unlock()
	p.client.smallPages[p.list] = true
}

// A Page is one page of a list.
type Page struct {
	Rows       []Row
	Unreadable int // rows that identify no resource
	AsOf       AsOf
}

// Next reads the next page of a list.
func (p *Pages) Next(ctx context.Context, class Class, l List) (Page, error) {
	rows, a, err := p.next(ctx, class)
	page := Page{AsOf: a.asOf, Rows: make([]Row, 0, p.lastRows)}
	reader := rowReader{policies: p.client.policies}
	for v := range rows.elements() {
		row, ok := reader.listRow(l, v)
		switch {
		case !ok:
			page.Unreadable++
		case slices.Contains(l.Kinds, row.Key.Kind):
			page.Rows = append(page.Rows, row)
		}
	}
	p.lastRows = len(page.Rows)
	return page, err
}
