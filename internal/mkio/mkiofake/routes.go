package mkiofake

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/right"
)

// A call is a parsed request.
type call struct {
	method   string
	url      *url.URL
	body     []byte
	segments []string // below /api/v1/projects, decoded
	token    string
	noCache  bool // Cache-Control: no-cache
	faults   requestFaults
}

// segmentsOf returns the path's segments. Each is decoded separately, so that an encoded slash does not split a name.
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

// route returns the route of a call, with {} for names.
func (c call) route() string {
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

// serve responds to a call. The caller holds the lock.
func (m *MKIO) serve(c call) response {
	name := ""
	if len(c.segments) > 0 {
		name = c.segments[0]
	}
	if !m.allow(name, c.method, c.route()) {
		return errorResponse(http.StatusTooManyRequests, "Request limit reached for this project.")
	}
	if m.revoked || m.token != "" && c.token != "Bearer "+m.token {
		return errorResponse(http.StatusUnauthorized, "The token is not valid.")
	}
	if c.faults.replacement != nil {
		return *c.faults.replacement
	}
	if name == "" {
		return m.listProjects(c)
	}
	p := m.projects[name]
	if p == nil || p.hidden {
		return errorResponse(http.StatusNotFound, fmt.Sprintf("Project '%s' was not found.", name))
	}
	return c.faults.cut(m.inProject(p, c))
}

func (m *MKIO) listProjects(c call) response {
	query := c.url.Query()
	showHidden := query.Get("show_hidden") != ""
	if query.Get("$filter") != "" || showHidden && m.config.RefuseShowHidden {
		return errorResponse(http.StatusBadRequest, "A parameter is not supported for this collection.")
	}
	var all []*project
	readable := 0
	for _, name := range m.config.Projects {
		p := m.projects[name]
		if !p.has(right.Project) {
			continue
		}
		readable++
		if !p.hidden && (showHidden || !p.shape.Hidden) {
			all = append(all, p)
		}
	}
	if readable == 0 && len(m.config.Projects) > 0 {
		return forbidden(right.Project)
	}
	if c.faults.emptyList {
		all = nil
	}
	return m.page(c.url, pageSpec{
		label: "Project", count: len(all), total: len(all),
		row: func(i int) ([]byte, *trackedChange) { return all[i].json(), nil },
	}, c.faults)
}

func (m *MKIO) inProject(p *project, c call) response {
	if a, refused := m.checkRight(p, c); refused {
		return a
	}
	segments := c.segments[1:]
	if len(segments) > 1 && segments[0] == "webhook" && segments[1] == "rules" {
		return m.ruleRoutes(p, segments[2:], c)
	}
	if c.method != http.MethodGet {
		return m.write(p, segments, c)
	}
	return m.viaCache(c, func() response { return m.get(p, segments, c) })
}

// get responds to a GET of a project or below it.
func (m *MKIO) get(p *project, segments []string, c call) response {
	switch path := strings.Join(segments, "/"); path {
	case "":
		return jsonResponse(http.StatusOK, p.json())
	case "media/jobs":
		return m.list(p, listSpec{kinds: []lifecycle.Kind{lifecycle.Job}, label: "Job", fields: jobFields, hasState: true}, c.url, c.faults)
	case "live/search":
		return m.list(p, listSpec{kinds: liveKinds, label: "Flow", fields: liveFields, hasState: true}, c.url, c.faults)
	}
	for _, info := range kindInfos {
		if segments[0] == info.area {
			if a, ok := m.ofKind(p, info, segments[1:], c); ok {
				return a
			}
		}
	}
	return errorResponse(http.StatusNotFound, "There is no such resource.")
}

// ofKind responds with a list, a record or a state of one kind; false if the path is of another kind.
func (m *MKIO) ofKind(p *project, info *kindInfo, segments []string, c call) (response, bool) {
	var names []string
	for i, s := range segments {
		switch {
		case i%2 == 1:
			names = append(names, s)
		case i/2 < len(info.collections) && s != info.collections[i/2]:
			return response{}, false
		}
	}
	depth, length := len(info.collections), len(segments)
	stateRequest := length == 2*depth+1 && segments[length-1] == "state" && info.hasStateEndpoint
	if length != 2*depth-1 && length != 2*depth && !stateRequest {
		return response{}, false
	}
	if length == 2*depth-1 {
		return m.listKind(p, info, names, c), true
	}
	if info.parent != "" {
		names = append([]string{string(info.parent)}, names...)
	}
	var v *version
	if key, err := lifecycle.NewKey(info.kind, p.name, names...); err == nil && !p.outage {
		v = m.visibleVersion(p, key, stateRequest, c.faults)
	}
	if v == nil {
		return errorResponse(http.StatusNotFound, fmt.Sprintf("%s '%s' was not found.", upperFirst(info.label), names[len(names)-1])), true
	}
	detailed := c.url.Query().Get("$detailedStatus") == "true" && slices.Contains(liveKinds, info.kind)
	return m.single(p, v, stateRequest, detailed), true
}

// visibleVersion returns the version of a resource that a request sees; nil: none.
func (m *MKIO) visibleVersion(p *project, key lifecycle.Key, stateRequest bool, f requestFaults) *version {
	l := m.viewAt(f.single)
	v, r := l.resource(m, p, key), m.resources[key]
	switch {
	case !l.replica || r == nil:
	case v == nil:
		m.recordStaleRead(r, lifecycle.StateDeleted)
	case v.resource == r && v != r.current && stateRequest == r.info.stateless:
		m.recordStaleRead(r, v.state)
	}
	return v
}

// listKind responds with the list of a kind: of the project, or below one parent.
func (m *MKIO) listKind(p *project, info *kindInfo, names []string, c call) response {
	l := listSpec{kinds: []lifecycle.Kind{info.kind}, label: upperFirst(info.label), fields: info.fields, hasState: !info.stateless}
	if len(names) == 0 {
		return m.list(p, l, c.url, c.faults)
	}
	if info.kind == lifecycle.Job {
		l.filter = func(r *resource) bool { return r.key.Names()[0] == names[0] }
		return m.list(p, l, c.url, c.faults)
	}
	kind := lifecycle.LiveEvent
	if info.parent != "" {
		kind = info.parent
	}
	parent, err := lifecycle.NewKey(kind, p.name, names[0])
	if err != nil || m.resources[parent] == nil || p.outage {
		return errorResponse(http.StatusNotFound, fmt.Sprintf("The parent '%s' was not found.", names[0]))
	}
	l.filter = func(r *resource) bool { return r.below(parent) }
	return m.list(p, l, c.url, c.faults)
}

// single responds with one resource, or its state.
func (m *MKIO) single(p *project, v *version, stateRequest, detailed bool) response {
	a := jsonResponse(http.StatusOK, nil)
	switch {
	case stateRequest:
		a.body = encode(object{"status": object{"state": v.endpointState()}})
	case detailed:
		a.body = encode(v.flow(true))
	default:
		m.advance(v)
		a.body = v.singleJSON(p)
	}
	if stateRequest == v.resource.info.stateless && v == v.resource.current && v.resource.deletedSteady.IsZero() {
		a.current = []*trackedChange{v.change}
	}
	return a
}
