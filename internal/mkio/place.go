package mkio

import (
	"net/url"
	"strings"

	"mkio-bridge/internal/lifecycle"
)

// A place is where MK.IO keeps the resources of one kind.
type place struct {
	kind        lifecycle.Kind
	parent      lifecycle.Kind // a scheduled operation's first name is the kind of its parent
	area        string         // the API it belongs to
	collections []string       // one before each name in the path, outermost first
	state       field          // where the record shows its state; zero where it does not
}

// The areas of a project.
const (
	media = "media"
	live  = "live"
)

var (
	jobState   = field{properties, "state"}
	mediaState = field{properties, "resourceState"}
	liveState  = field{status, "state"}
)

// places says where each kind lives: parsing a source and building a path both read it. The last has
// no area. MK.IO does not document where channel instances live, so nothing is ever found there.
var places = []place{
	{kind: lifecycle.Asset, area: media, collections: []string{"assets"}},
	{kind: lifecycle.ContentKeyPolicy, area: media, collections: []string{"contentKeyPolicies"}},
	{kind: lifecycle.Job, area: media, collections: []string{"transforms", "jobs"}, state: jobState},
	{kind: lifecycle.LiveEvent, area: media, collections: []string{"liveEvents"}, state: mediaState},
	{kind: lifecycle.LiveOutput, area: media, collections: []string{"liveEvents", "liveOutputs"}, state: mediaState},
	{kind: lifecycle.StreamingEndpoint, area: media, collections: []string{"streamingEndpoints"}, state: mediaState},
	{kind: lifecycle.StreamingLocator, area: media, collections: []string{"streamingLocators"}, state: mediaState},
	{kind: lifecycle.Source, area: media, collections: []string{"sources"}, state: liveState},
	{kind: lifecycle.Content, area: media, collections: []string{"content"}, state: liveState},
	{kind: lifecycle.Destination, area: media, collections: []string{"destinations"}, state: liveState},
	{kind: lifecycle.LiveChannel, area: live, collections: []string{"liveChannels"}, state: liveState},
	{kind: lifecycle.LiveAPIEvent, area: live, collections: []string{"liveEvents"}, state: liveState},
	{kind: lifecycle.StaticMultiviewChannel, area: live, collections: []string{"staticMultiviewChannels"}, state: liveState},
	{kind: lifecycle.StaticMultiviewEvent, area: live, collections: []string{"staticMultiviewEvents"}, state: liveState},
	operationsOf(lifecycle.LiveChannel, "liveChannels"),
	operationsOf(lifecycle.LiveAPIEvent, "liveEvents"),
	operationsOf(lifecycle.StaticMultiviewChannel, "staticMultiviewChannels"),
	operationsOf(lifecycle.StaticMultiviewEvent, "staticMultiviewEvents"),
	{kind: lifecycle.ChannelInstance, collections: []string{"channelInstances"}},
}

func operationsOf(parent lifecycle.Kind, collection string) place {
	return place{
		kind: lifecycle.ScheduledOperation, parent: parent, area: live,
		collections: []string{collection, "scheduledOperations"}, state: liveState,
	}
}

// match returns the name tokens of a resource that the segments below an area name.
func (p place) match(segments []string) (names []string, ok bool) {
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

// placeOf returns where a resource lives; false for a scheduled operation of no known parent.
func placeOf(key lifecycle.Key) (place, bool) {
	for _, p := range places {
		if p.kind == key.Kind && (p.parent == "" || string(p.parent) == key.Names()[0]) {
			return p, true
		}
	}
	return place{}, false
}

// Path returns the path of a resource below the API's base address, names percent-encoded, and the
// part of it inside the resource's API. ok is false for a key that no path leads to: a parent of a
// kind that has no scheduled operations, or a name that would change the path.
//
// The path of a channel instance is a name, not an address: nobody answers there.
func Path(key lifecycle.Key) (path, inside string, ok bool) {
	p, ok := placeOf(key)
	if !ok || !usable(key.Project) {
		return "", "", false
	}
	var (
		segments [lifecycle.MaxDepth]string
		room     [pathRoom]byte
	)
	names := key.AppendNames(segments[:0])
	names = names[len(names)-len(p.collections):]
	b := append(append(room[:0], "/api/v1/projects/"...), url.PathEscape(key.Project)...)
	if p.area != "" {
		b = append(append(b, '/'), p.area...)
	}
	from := len(b) + 1
	for i, name := range names {
		if !usable(name) {
			return "", "", false
		}
		b = append(append(b, '/'), p.collections[i]...)
		b = append(append(b, '/'), url.PathEscape(name)...)
	}
	path = string(b)
	return path, path[from:], true
}

// pathRoom is how many bytes most paths fit into: one is made for each delivery and row.
const pathRoom = 256
