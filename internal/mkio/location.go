package mkio

import (
	"net/url"
	"strings"

	"mkio-bridge/internal/lifecycle"
)

// A location is the API path of the resources of one kind.
type location struct {
	kind        lifecycle.Kind
	parent      lifecycle.Kind // a scheduled operation's first name is the kind of its parent
	area        string         // media or live: the segment below the project
	collections []string       // one before each name in the path, outermost first
	state       memberPath     // path of the state in the record; zero: not in the record
}

// The areas of a project.
const (
	media = "media"
	live  = "live"
)

var (
	jobState   = memberPath{properties, "state"}
	mediaState = memberPath{properties, "resourceState"}
	liveState  = memberPath{status, "state"}
	linkState  = memberPath{status, "privateLinkServiceConnectionStatus"}
)

// locations has the location of each kind, to parse a source and to build a path. The last has no area: MK.IO does not
// document the path of channel instances, so no source parses to it.
var locations = []location{
	{kind: lifecycle.Asset, area: media, collections: []string{"assets"}},
	{kind: lifecycle.ContentKeyPolicy, area: media, collections: []string{"contentKeyPolicies"}},
	{kind: lifecycle.Job, area: media, collections: []string{"transforms", "jobs"}, state: jobState},
	{kind: lifecycle.LiveEvent, area: media, collections: []string{"liveEvents"}, state: mediaState},
	{kind: lifecycle.LiveOutput, area: media, collections: []string{"liveEvents", "liveOutputs"}, state: mediaState},
	{kind: lifecycle.StreamingEndpoint, area: media, collections: []string{"streamingEndpoints"}, state: mediaState},
	{kind: lifecycle.StreamingLocator, area: media, collections: []string{"streamingLocators"}, state: mediaState},
	{kind: lifecycle.Storage, area: media, collections: []string{"storage"}, state: linkState},
	{kind: lifecycle.Source, area: media, collections: []string{"sources"}, state: liveState},
	{kind: lifecycle.Content, area: media, collections: []string{"content"}, state: liveState},
	{kind: lifecycle.Destination, area: media, collections: []string{"destinations"}, state: liveState},
	{kind: lifecycle.LiveChannel, area: live, collections: []string{"liveChannels"}, state: liveState},
	{kind: lifecycle.LiveAPIEvent, area: live, collections: []string{"liveEvents"}, state: liveState},
	{kind: lifecycle.StaticMultiviewChannel, area: live, collections: []string{"staticMultiviewChannels"}, state: liveState},
	{kind: lifecycle.StaticMultiviewEvent, area: live, collections: []string{"staticMultiviewEvents"}, state: liveState},
	scheduledOperationsOf(lifecycle.LiveChannel, "liveChannels"),
	scheduledOperationsOf(lifecycle.LiveAPIEvent, "liveEvents"),
	scheduledOperationsOf(lifecycle.StaticMultiviewChannel, "staticMultiviewChannels"),
	scheduledOperationsOf(lifecycle.StaticMultiviewEvent, "staticMultiviewEvents"),
	{kind: lifecycle.ChannelInstance, collections: []string{"channelInstances"}},
}

func scheduledOperationsOf(parent lifecycle.Kind, collection string) location {
	return location{
		kind: lifecycle.ScheduledOperation, parent: parent, area: live,
		collections: []string{collection, "scheduledOperations"}, state: liveState,
	}
}

// match returns the names in the segments below an area; false if the segments are of another kind.
func (p location) match(segments []string) (names []string, ok bool) {
	if len(segments) != 2*len(p.collections) {
		return nil, false
	}
	if p.parent != "" {
		names = append(names, string(p.parent))
	}
	for i, collection := range p.collections {
		if !strings.EqualFold(segments[2*i], collection) {
			return nil, false
		}
		names = append(names, segments[2*i+1])
	}
	return names, true
}

// locationOf returns the location of a resource; false for a scheduled operation of an unknown parent kind.
func locationOf(key lifecycle.Key) (location, bool) {
	for _, p := range locations {
		if p.kind == key.Kind && (p.parent == "" || string(p.parent) == key.Names()[0]) {
			return p, true
		}
	}
	return location{}, false
}

// Path returns the path of a resource below the API's base address, names percent-encoded, and subject, the part of it below
// the area. ok is false for a key without a path: of a parent kind that has no scheduled operations, or with a name that
// would change the path.
//
// The path of a channel instance is a name, not an address: a request there would fail.
func Path(key lifecycle.Key) (path, subject string, ok bool) {
	p, ok := locationOf(key)
	if !ok || !validName(key.Project) {
		return "", "", false
	}
	var (
		segments [lifecycle.MaxDepth]string
		buffer   [pathBuffer]byte
	)
	names := key.AppendNames(segments[:0])
	names = names[len(names)-len(p.collections):]
	b := append(append(buffer[:0], "/api/v1/projects/"...), url.PathEscape(key.Project)...)
	if p.area != "" {
		b = append(append(b, '/'), p.area...)
	}
	from := len(b) + 1
	for i, name := range names {
		if !validName(name) {
			return "", "", false
		}
		b = append(append(b, '/'), p.collections[i]...)
		b = append(append(b, '/'), url.PathEscape(name)...)
	}
	path = string(b)
	return path, path[from:], true
}

// pathBuffer is a size in bytes that most paths fit into: one is built for each delivery and row.
const pathBuffer = 256
