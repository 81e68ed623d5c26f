package mkio

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"time"

	"mkio-bridge/internal/lifecycle"
)

// A List is one list of MK.IO's API.
type List struct {
	Project string
	Kinds   []lifecycle.Kind // whose resources its rows are
	Parent  lifecycle.Key    // of live outputs and scheduled operations; zero for lists of a whole project
	source  source
}

// A source says what a list can be asked for.
type source struct {
	kinds   []lifecycle.Kind
	path    string // below the project, for those of a whole project
	changed string // the field that tells the time of the last change
	state   string // the field that tells the state; "": it cannot be asked for
}

// sources says which list shows each kind at the least cost.
var sources = []source{
	{kinds: []lifecycle.Kind{lifecycle.Job}, path: "media/jobs", changed: "properties/lastModified", state: "properties/state"},
	{kinds: liveKinds, path: "live/search", changed: "updated", state: "status/state"},
	{kinds: []lifecycle.Kind{lifecycle.LiveEvent}, path: "media/liveEvents", changed: "properties/lastModified", state: "properties/resourceState"},
	{kinds: []lifecycle.Kind{lifecycle.StreamingEndpoint}, path: "media/streamingEndpoints", changed: "properties/lastModified", state: "properties/resourceState"},
	{kinds: []lifecycle.Kind{lifecycle.StreamingLocator}, path: "media/streamingLocators", changed: "updated"},
	{kinds: []lifecycle.Kind{lifecycle.Asset}, path: "media/assets", changed: "properties/lastModified"},
	{kinds: []lifecycle.Kind{lifecycle.ContentKeyPolicy}, path: "media/contentKeyPolicies", changed: "properties/lastModified"},
	{kinds: []lifecycle.Kind{lifecycle.Source}, path: "media/sources", changed: "updated", state: "status/state"},
	{kinds: []lifecycle.Kind{lifecycle.Content}, path: "media/content", changed: "updated"},
	{kinds: []lifecycle.Kind{lifecycle.Destination}, path: "media/destinations", changed: "updated"},
	{kinds: []lifecycle.Kind{lifecycle.LiveOutput}},
	{kinds: []lifecycle.Kind{lifecycle.ScheduledOperation}},
}

// liveKinds are the kinds of the Live API, which one search shows together.
var liveKinds = []lifecycle.Kind{
	lifecycle.LiveChannel, lifecycle.LiveAPIEvent, lifecycle.StaticMultiviewChannel, lifecycle.StaticMultiviewEvent,
}

// parents says which kinds of resources others lie below.
var parents = []struct {
	child lifecycle.Kind
	kinds []lifecycle.Kind
}{
	{lifecycle.LiveOutput, []lifecycle.Kind{lifecycle.LiveEvent}},
	{lifecycle.ScheduledOperation, liveKinds},
}

// ParentKinds are the kinds that a kind lies below; none for a kind of a whole project.
func ParentKinds(child lifecycle.Kind) []lifecycle.Kind { return slices.Clone(parentKinds(child)) }

func parentKinds(child lifecycle.Kind) []lifecycle.Kind {
	for _, p := range parents {
		if p.child == child {
			return p.kinds
		}
	}
	return nil
}

// ChildKinds are the kinds that lie below resources of the given ones.
func ChildKinds(of []lifecycle.Kind) []lifecycle.Kind {
	var found []lifecycle.Kind
	for _, p := range parents {
		if slices.ContainsFunc(p.kinds, func(k lifecycle.Kind) bool { return slices.Contains(of, k) }) {
			found = append(found, p.child)
		}
	}
	return found
}

// Lists returns the lists that show the resources of the given kinds across a whole project. Live outputs and
// scheduled operations have none: see [ListBelow].
func Lists(project string, kinds []lifecycle.Kind) []List {
	var found []List
	for _, s := range sources {
		wanted := slices.DeleteFunc(slices.Clone(s.kinds), func(k lifecycle.Kind) bool { return !slices.Contains(kinds, k) })
		if s.path != "" && len(wanted) > 0 {
			found = append(found, List{Project: project, Kinds: wanted, source: s})
		}
	}
	return found
}

// ListBelow returns the list of what lies below a parent: the live outputs of a live event, or the scheduled
// operations of a resource of the Live API.
func ListBelow(parent lifecycle.Key) (List, bool) {
	children := ChildKinds([]lifecycle.Kind{parent.Kind})
	if len(children) == 0 {
		return List{}, false
	}
	i := slices.IndexFunc(sources, func(s source) bool { return s.kinds[0] == children[0] })
	return List{Project: parent.Project, Kinds: sources[i].kinds, Parent: parent, source: sources[i]}, true
}

// ParentOf returns the resource that another lies below; false for one that lies below none.
func ParentOf(key lifecycle.Key) (lifecycle.Key, bool) {
	kinds := parentKinds(key.Kind)
	if len(kinds) == 0 {
		return lifecycle.Key{}, false
	}
	kind, names := kinds[0], key.Names()
	if len(kinds) > 1 { // the first name tells which
		kind, names = lifecycle.Kind(names[0]), names[1:]
	}
	parent, err := lifecycle.NewKey(kind, key.Project, names[0])
	return parent, err == nil
}

// String names a list for logs and metrics.
func (l List) String() string {
	if l.source.path != "" {
		return l.source.path
	}
	return string(l.Kinds[0])
}

// ByState says whether the list can be asked for resources in one state.
func (l List) ByState() bool { return l.source.state != "" }

// ByChange says whether the list can be asked for what changed since a moment.
func (l List) ByChange() bool { return l.source.changed != "" }

// Stateless says whether the list's rows do not show the state: [Client.State] does.
func (l List) Stateless() bool {
	p, ok := placeOf(lifecycle.Key{Kind: l.Kinds[0]})
	return ok && p.state == field{}
}

func (l List) path() (string, bool) {
	if l.source.path != "" {
		return "/api/v1/projects/" + url.PathEscape(l.Project) + "/" + l.source.path, true
	}
	above, _, ok := Path(l.Parent)
	if l.Kinds[0] == lifecycle.LiveOutput {
		return above + "/liveOutputs", ok
	}
	return above + "/scheduledOperations", ok
}

// A Filter narrows a list. The zero Filter asks for everything.
type Filter struct {
	Since time.Time // changed then or later
	State string    // in this state
}

// PageSize is how many rows are asked for at once.
const PageSize = 1000

// Pages returns a walk through a list. Rows are asked for in the order of their change, so that one that
// changes meanwhile moves behind those still to come instead of before them.
func (c *Client) Pages(l List, f Filter) (*Pages, bool) {
	path, ok := l.path()
	query := url.Values{"$top": {strconv.Itoa(PageSize)}}
	if l.source.changed != "" {
		query.Set("$orderby", l.source.changed+" asc")
	}
	if !f.Since.IsZero() {
		query.Set("$filter", l.source.changed+" ge "+f.Since.UTC().Format("2006-01-02T15:04:05Z"))
	}
	if f.State != "" {
		query.Set("$filter", l.source.state+" eq '"+f.State+"'")
	}
	return c.pages(l.Project, path, query), ok
}

// A Page is a part of a list.
type Page struct {
	Rows       []Row
	Unreadable int // rows that tell no resource
	Moment     Moment
}

// Next asks for the next page of a list.
func (p *Pages) Next(ctx context.Context, class Class, l List) (Page, error) {
	rows, a, err := p.next(ctx, class)
	page := Page{Moment: a.moment, Rows: make([]Row, 0, p.rows)}
	reader := rowReader{policies: p.client.policies}
	for v := range rows.elements() {
		row, ok := reader.listed(l, v)
		switch {
		case !ok:
			page.Unreadable++
		case slices.Contains(l.Kinds, row.Key.Kind):
			page.Rows = append(page.Rows, row)
		}
	}
	p.rows = len(page.Rows)
	return page, err
}
