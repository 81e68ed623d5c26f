package mkio

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"mkio-bridge/internal/lifecycle"
)

// sourceParts splits a URI reference into scheme, authority and path, without query and fragment. It accepts references that
// net/url rejects, because they still name a resource.
func sourceParts(source string) (scheme, authority, path string) {
	rest := source
	if at := strings.IndexAny(rest, "?#"); at >= 0 {
		rest = rest[:at]
	}
	if at := strings.IndexByte(rest, ':'); at > 0 && isScheme(rest[:at]) {
		scheme, rest = rest[:at+1], rest[at+1:]
	}
	if strings.HasPrefix(rest, "//") {
		at := strings.IndexByte(rest[2:], '/')
		if at < 0 {
			return scheme, rest, ""
		}
		authority, rest = rest[:at+2], rest[at+2:]
	}
	return scheme, authority, rest
}

// isScheme reports whether a non-empty text is a valid URI scheme.
func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20 // lower case, if a letter
		if letter := c >= 'a' && c <= 'z'; !letter && (i == 0 || !strings.ContainsRune("0123456789+.-", rune(s[i]))) {
			return false
		}
	}
	return true
}

// pathOf returns the path of a source, percent-encoded.
func pathOf(source string) string {
	_, _, path := sourceParts(source)
	return path
}

// validName reports whether a name is one path segment and stays one.
func validName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= maxText &&
		!strings.Contains(name, "/") && utf8.ValidString(name)
}

// segmentsOf returns the decoded segments of a source's path. Each is decoded separately, so that an encoded slash does not
// split a name.
func segmentsOf(source string) ([]string, error) {
	path := strings.TrimSuffix(strings.TrimPrefix(pathOf(source), "/"), "/")
	segments := strings.Split(path, "/")
	for i, s := range segments {
		name, err := url.PathUnescape(s)
		if err != nil || !validName(name) {
			return nil, unrecognised("the source has a segment that is not a valid name: %s", quote(s))
		}
		segments[i] = name
	}
	return segments, nil
}

// inProject returns the project in the segments and the segments after it; "" and all segments if there is none. Segments
// before the API's own path are a base path.
func inProject(segments []string) (project string, rest []string) {
	for _, prefix := range [][]string{{"api", "v1", "projects"}, {"api", "ams"}} {
		for i := range len(segments) - len(prefix) {
			end := i + len(prefix)
			if slices.EqualFunc(segments[i:end], prefix, strings.EqualFold) {
				return segments[end], segments[end+1:]
			}
		}
	}
	return "", segments
}

// inArea returns the areas that the segments may belong to, and the segments below the area. Without an area, a live event
// may be of both APIs; only records of the Live API have metadata.
func inArea(segments []string, r *record) (areas, rest []string) {
	if len(segments) > 0 {
		for _, area := range []string{media, live} {
			if strings.EqualFold(segments[0], area) {
				return []string{area}, segments[1:]
			}
		}
	}
	if r.sections[metadata] != nil {
		return []string{live, media}, segments
	}
	return []string{media, live}, segments
}

// keyOf returns the resource of a delivery.
func (d Decoder) keyOf(e *envelope) (lifecycle.Key, error) {
	segments, err := segmentsOf(e.source)
	if err != nil {
		return lifecycle.Key{}, err
	}
	inSource, rest := inProject(segments)
	project, err := d.projectOf(inSource, e.project)
	if err != nil {
		return lifecycle.Key{}, err
	}
	areas, rest := inArea(rest, &e.record)
	kind, names, ok := findLocation(areas, rest)
	if !ok || inSource == "" {
		kind, names, ok = channelInstance(e.typeName, rest)
	}
	if !ok {
		return lifecycle.Key{}, unrecognised("the source names no resource of a known kind: %s", quote(pathOf(e.source)))
	}
	key, err := lifecycle.NewKey(kind, project, names...)
	if err != nil {
		return lifecycle.Key{}, unrecognised("the source names no resource: %s", quote(pathOf(e.source)))
	}
	return key, nil
}

func findLocation(areas, segments []string) (lifecycle.Kind, []string, bool) {
	for _, area := range areas {
		for _, p := range locations {
			if names, ok := p.match(segments); ok && p.area == area {
				return p.kind, names, true
			}
		}
	}
	return "", nil, false
}

// channelInstance returns the name of a ChannelInstance delivery's resource: the last segment of its source. Collections and
// names alternate, so a last segment "state" after a name is no resource.
func channelInstance(typ string, segments []string) (lifecycle.Kind, []string, bool) {
	count := len(segments)
	if !strings.HasPrefix(typ, channelInstancePrefix) || count == 0 {
		return "", nil, false
	}
	last := segments[count-1]
	if count > 1 && count%2 == 1 && strings.EqualFold(last, "state") {
		return "", nil, false
	}
	return lifecycle.ChannelInstance, []string{last}, true
}

// projectOf returns the project of a delivery, from its source or else from its data.
func (d Decoder) projectOf(inSource, inData string) (string, error) {
	if inData != "" && !validName(inData) {
		return "", unrecognised(`"projectName" is not a valid name: %s`, quote(inData))
	}
	project := inSource
	if project == "" {
		project = inData
	}
	switch {
	case project == "":
		return "", unrecognised("neither source nor data names a project")
	case inData != "" && !strings.EqualFold(project, inData):
		return "", unrecognised("the source is of project %s, the data of %s", quote(project), quote(inData))
	case len(d.Projects) > 0 && !slices.Contains(d.Projects, project):
		return "", unrecognised("project %s is not configured", quote(project))
	}
	return project, nil
}
