package mkiofake

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mkio-bridge/internal/lifecycle"
)

// A call is a request, taken apart.
type call struct {
	method   string
	url      *url.URL
	body     []byte
	segments []string // below /api/v1/projects, decoded
	token    string
	noCache  bool // the request asks caches not to answer it
	fate     fate
}

// segmentsOf decodes each segment by itself, so that an encoded slash does not split a name.
func segmentsOf(u *url.URL) ([]string, bool) {
	rest, ok := strings.CutPrefix(u.EscapedPath(), "/api/v1/projects")
	if !ok {
		return nil, false
	}
	if rest = strings.Trim(rest, "/"); rest == "" {
		return nil, true
	}
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		name, err := url.PathUnescape(s)
		if err != nil {
			return nil, false
		}
		segments[i] = name
	}
	return segments, true
}

// routeOf names the route of a call, with names left out.
func (c call) routeOf() string {
	if len(c.segments) < 2 {
		return "projects" + strings.Repeat("/{}", len(c.segments))
	}
	parts := []string{c.segments[1]}
	rest := c.segments[2:]
	for i, s := range rest {
		if i%2 == 1 {
			s = "{}"
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, "/")
}

// answer answers a call from what is so now.
func (m *MKIO) answer(c call) answer {
	name := ""
	if len(c.segments) > 0 {
		name = c.segments[0]
	}
	if !m.count(name, c.method, c.routeOf()) {
		return refuse(http.StatusTooManyRequests, "Request limit reached for this project.")
	}
	if m.revoked || m.token != "" && c.token != "Bearer "+m.token {
		return refuse(http.StatusUnauthorized, "The token is not valid.")
	}
	if c.fate.instead != nil {
		return *c.fate.instead
	}
	if name == "" {
		return m.listProjects(c)
	}
	p := m.projects[name]
	if p == nil || p.gone {
		return refuse(http.StatusNotFound, fmt.Sprintf("Project '%s' was not found.", name))
	}
	return c.fate.broken(m.inProject(p, c))
}

func (m *MKIO) listProjects(c call) answer {
	if c.url.Query().Get("$filter") != "" {
		return refuse(http.StatusBadRequest, "Filters are not supported for this collection.")
	}
	var all []*project
	for _, name := range m.config.Projects {
		if p := m.projects[name]; !p.gone {
			all = append(all, p)
		}
	}
	if c.fate.empty {
		all = nil
	}
	return m.page(c.url, pageOf{
		label: "Project", count: len(all), total: len(all),
		row: func(i int) ([]byte, *entry) { return all[i].json(), nil },
	}, c.fate)
}

func (m *MKIO) inProject(p *project, c call) answer {
	segments := c.segments[1:]
	if len(segments) > 1 && segments[0] == "webhook" && segments[1] == "rules" {
		return m.ruleRoutes(p, segments[2:], c)
	}
	if c.method != http.MethodGet {
		return refuse(http.StatusMethodNotAllowed, "The simulation does not change resources.")
	}
	return m.through(c, func() answer { return m.shown(p, segments, c) })
}

// shown answers a GET of a project and of what is in it.
func (m *MKIO) shown(p *project, segments []string, c call) answer {
	switch path := strings.Join(segments, "/"); path {
	case "":
		return jsonAnswer(http.StatusOK, p.json())
	case "media/jobs":
		if p.forbidden[lifecycle.Job] {
			return forbidden(lifecycle.Job)
		}
		return m.list(p, listing{kinds: []lifecycle.Kind{lifecycle.Job}, label: "Job", fields: jobFields, shows: true}, c.url, c.fate)
	case "live/search":
		if !slices.ContainsFunc(liveKinds, func(k lifecycle.Kind) bool { return !p.forbidden[k] }) {
			return forbidden(liveKinds[0])
		}
		return m.list(p, listing{kinds: liveKinds, label: "Flow", fields: liveFields, shows: true}, c.url, c.fate)
	}
	for _, place := range places {
		if segments[0] == place.area {
			if a, ok := m.inPlace(p, place, segments[1:], c); ok {
				return a
			}
		}
	}
	return refuse(http.StatusNotFound, "There is no such resource.")
}

func forbidden(kind lifecycle.Kind) answer {
	return refuse(http.StatusForbidden, fmt.Sprintf("Missing the capability to get a %s of this project.", kind))
}

// inPlace answers for a list, a record or a state of one kind; false where the path is of another.
func (m *MKIO) inPlace(p *project, place *place, segments []string, c call) (answer, bool) {
	var names []string
	for i, s := range segments {
		switch {
		case i%2 == 1:
			names = append(names, s)
		case i/2 < len(place.collections) && s != place.collections[i/2]:
			return answer{}, false
		}
	}
	depth, length := len(place.collections), len(segments)
	asksState := length == 2*depth+1 && segments[length-1] == "state" && place.stated
	if length != 2*depth-1 && length != 2*depth && !asksState {
		return answer{}, false
	}
	if p.forbidden[place.kind] {
		return forbidden(place.kind), true
	}
	if length == 2*depth-1 {
		return m.listOf(p, place, names, c), true
	}
	if place.parent != "" {
		names = append([]string{string(place.parent)}, names...)
	}
	var v *version
	if key, err := lifecycle.NewKey(place.kind, p.name, names...); err == nil && !p.lost {
		v = m.one(p, key, asksState, c.fate)
	}
	if v == nil {
		return refuse(http.StatusNotFound, fmt.Sprintf("%s '%s' was not found.", upperFirst(place.label), names[len(names)-1])), true
	}
	return m.single(p, v, asksState), true
}

// one is what a request for one resource is shown of it; nil: nothing.
func (m *MKIO) one(p *project, key lifecycle.Key, asksState bool, f fate) *version {
	l := m.lookAt(f.single)
	v, r := l.resource(m, p, key), m.resources[key]
	switch {
	case !l.whole || r == nil:
	case v == nil:
		m.mislead(r, lifecycle.StateDeleted)
	case v.of == r && v != r.now && asksState == r.place.stateless:
		m.mislead(r, v.state)
	}
	return v
}

// listOf answers for the list of a kind: of the project, or below one parent.
func (m *MKIO) listOf(p *project, place *place, names []string, c call) answer {
	l := listing{kinds: []lifecycle.Kind{place.kind}, label: upperFirst(place.label), fields: place.fields, shows: !place.stateless}
	if len(names) == 0 {
		return m.list(p, l, c.url, c.fate)
	}
	if place.kind == lifecycle.Job {
		l.within = func(r *resource) bool { return r.key.Names()[0] == names[0] }
		return m.list(p, l, c.url, c.fate)
	}
	kind := lifecycle.LiveEvent
	if place.parent != "" {
		kind = place.parent
	}
	parent, err := lifecycle.NewKey(kind, p.name, names[0])
	if err != nil || m.resources[parent] == nil || p.lost {
		return refuse(http.StatusNotFound, fmt.Sprintf("The parent '%s' was not found.", names[0]))
	}
	l.within = func(r *resource) bool { return r.below(parent) }
	return m.list(p, l, c.url, c.fate)
}

// single answers for one resource.
func (m *MKIO) single(p *project, v *version, asksState bool) answer {
	a := jsonAnswer(http.StatusOK, nil)
	if asksState {
		a.body = encode(object{"status": object{"state": v.inner()}})
	} else {
		a.body = v.single(p)
	}
	if asksState == v.of.place.stateless && v == v.of.now && v.of.ended.IsZero() {
		a.shows = []*entry{v.entry}
	}
	return a
}
