package mkiofake

import (
	"net/url"
	"strings"

	"mkio-bridge/internal/lifecycle"
)

// A place is what MK.IO says of one kind: where it lives and what its list can be asked for.
type place struct {
	kind        lifecycle.Kind
	area        string
	collections []string       // one before each name in the path, outermost first
	parent      lifecycle.Kind // of scheduled operations: their first name is the kind of their parent
	label       string         // the word of the record or, for media kinds, of the list
	fields      []string       // that its list documents for filters and orders
	stated      bool           // it answers to /state
	stateless   bool           // its record does not show its state
	provisioned bool           // it has a provisioningState
}

const (
	mediaArea = "media"
	liveArea  = "live"
)

var (
	mediaFields    = []string{"name", "id", "created", "createdBy", "updated", "properties/created", "properties/lastModified"}
	jobFields      = append([]string{"properties/state", "transform"}, mediaFields...)
	runningFields  = append([]string{"properties/resourceState"}, mediaFields...)
	locatorFields  = []string{"name", "id", "created", "createdBy", "updated", "properties/created"}
	liveFields     = []string{"name", "id", "created", "updated", "status/state", "spec/state"}
	scheduleFields = []string{"name", "updated", "startTime", "endTime", "type"}
	sourceFields   = []string{"name", "created", "updated", "status/state"}
	plainFields    = []string{"name", "created", "updated"}
)

var places = []*place{
	{kind: lifecycle.Asset, area: mediaArea, collections: []string{"assets"}, label: "Asset", fields: mediaFields, stated: true, stateless: true},
	{kind: lifecycle.ContentKeyPolicy, area: mediaArea, collections: []string{"contentKeyPolicies"}, label: "ContentKeyPolicy", fields: mediaFields, stated: true, stateless: true},
	{kind: lifecycle.Job, area: mediaArea, collections: []string{"transforms", "jobs"}, label: "Job", fields: jobFields, stated: true},
	{kind: lifecycle.LiveEvent, area: mediaArea, collections: []string{"liveEvents"}, label: "LiveEvent", fields: runningFields, stated: true, provisioned: true},
	{kind: lifecycle.LiveOutput, area: mediaArea, collections: []string{"liveEvents", "liveOutputs"}, label: "LiveOutput", fields: mediaFields, stated: true, provisioned: true},
	{kind: lifecycle.StreamingEndpoint, area: mediaArea, collections: []string{"streamingEndpoints"}, label: "StreamingEndpoint", fields: runningFields, stated: true, provisioned: true},
	{kind: lifecycle.StreamingLocator, area: mediaArea, collections: []string{"streamingLocators"}, label: "StreamingLocator", fields: locatorFields, stated: true, provisioned: true},
	{kind: lifecycle.Source, area: mediaArea, collections: []string{"sources"}, label: "source", fields: sourceFields},
	{kind: lifecycle.Content, area: mediaArea, collections: []string{"content"}, label: "content", fields: plainFields},
	{kind: lifecycle.Destination, area: mediaArea, collections: []string{"destinations"}, label: "destination", fields: plainFields},
	{kind: lifecycle.LiveChannel, area: liveArea, collections: []string{"liveChannels"}, label: "liveChannel", fields: liveFields, stated: true},
	{kind: lifecycle.LiveAPIEvent, area: liveArea, collections: []string{"liveEvents"}, label: "liveEvent", fields: liveFields, stated: true},
	{kind: lifecycle.StaticMultiviewChannel, area: liveArea, collections: []string{"staticMultiviewChannels"}, label: "staticMultiviewChannel", fields: liveFields, stated: true},
	{kind: lifecycle.StaticMultiviewEvent, area: liveArea, collections: []string{"staticMultiviewEvents"}, label: "staticMultiviewEvent", fields: liveFields, stated: true},
	scheduledBelow(lifecycle.LiveChannel, "liveChannels"),
	scheduledBelow(lifecycle.LiveAPIEvent, "liveEvents"),
	scheduledBelow(lifecycle.StaticMultiviewChannel, "staticMultiviewChannels"),
	scheduledBelow(lifecycle.StaticMultiviewEvent, "staticMultiviewEvents"),
}

func scheduledBelow(parent lifecycle.Kind, collection string) *place {
	return &place{
		kind: lifecycle.ScheduledOperation, area: liveArea, parent: parent, label: "scheduledOperation",
		collections: []string{collection, "scheduledOperations"}, fields: scheduleFields,
	}
}

// liveKinds are those that live/search shows together.
var liveKinds = []lifecycle.Kind{
	lifecycle.LiveChannel, lifecycle.LiveAPIEvent, lifecycle.StaticMultiviewChannel, lifecycle.StaticMultiviewEvent,
}

func placeOf(key lifecycle.Key) (*place, bool) {
	for _, p := range places {
		if p.kind == key.Kind && (p.parent == "" || string(p.parent) == key.Names()[0]) {
			return p, true
		}
	}
	return nil, false
}

// inPath are the names of a key that stand in its path.
func (p *place) inPath(key lifecycle.Key) []string {
	names := key.Names()
	return names[len(names)-len(p.collections):]
}

// below is the path of a resource below its area, names encoded by a function.
func (p *place) below(key lifecycle.Key, encode func(string) string) string {
	var parts []string
	for i, name := range p.inPath(key) {
		parts = append(parts, p.collections[i], encode(name))
	}
	return strings.Join(parts, "/")
}

// source is the path that deliveries give. Those of jobs leave out the area.
func (p *place) source(key lifecycle.Key) string {
	path := "/api/v1/projects/" + url.PathEscape(key.Project) + "/"
	if p.kind != lifecycle.Job {
		path += p.area + "/"
	}
	return path + p.below(key, url.PathEscape)
}

// Event types, as MK.IO documents them.
const (
	jobStarted       = "MediaKind.JobStarted"
	jobFinished      = "MediaKind.JobFinished"
	locatorCreated   = "MediaKind.StreamingLocatorCreated"
	instanceStarted  = "MediaKind.ChannelInstanceStarted"
	instanceStopped  = "MediaKind.ChannelInstanceStopped"
	instanceError    = "MediaKind.ChannelInstanceError"
	operationPrefix  = "MediaKind.ScheduledOperation"
	operationOK      = operationPrefix + "Accepted"
	operationOngoing = operationPrefix + "Ongoing"
	operationDone    = operationPrefix + "Completed"
	operationError   = operationPrefix + "Error"
)

// EventTypes returns the types that a webhook rule can ask for.
func EventTypes() []string {
	return []string{
		jobStarted, jobFinished, locatorCreated, instanceStarted, instanceStopped, instanceError,
		operationOK, operationOngoing, operationDone, operationError,
	}
}

// told says by which type MK.IO tells that a resource reached a state, and which state before it the delivery
// claims: for jobs the documented one, whatever it was. The type is "" where MK.IO does not tell.
func (p *place) told(previous, state string, began bool) (typ, claimed string) {
	switch p.kind {
	case lifecycle.Job:
		switch state {
		case "Processing":
			return jobStarted, "Queued"
		case "Finished", "Error", "Canceled":
			if began {
				previous = "Processing"
			}
			return jobFinished, previous
		}
	case lifecycle.StreamingLocator:
		if state == "Created" && (previous == "Creating" || previous == "") {
			return locatorCreated, "Creating"
		}
	case lifecycle.ScheduledOperation:
		return map[string]string{
			"Accepted": operationOK, "Ongoing": operationOngoing, "Completed": operationDone, "Errored": operationError,
		}[state], previous
	case lifecycle.LiveChannel, lifecycle.LiveAPIEvent, lifecycle.StaticMultiviewChannel, lifecycle.StaticMultiviewEvent:
		switch {
		case state == "Running" && previous != "Updating":
			return instanceStarted, previous
		case state == "Stopped" && previous != "" && previous != "Pending":
			return instanceStopped, previous
		case state == "UnableToStart":
			return instanceError, previous
		}
	}
	return "", previous
}

// provisioning is the provisioningState that goes with a state, unless it is set apart.
func (p *place) provisioning(state string) string {
	if !p.provisioned {
		return ""
	}
	switch state {
	case "Creating", "Updating", "Scaling", "Deleting":
		return "InProgress"
	case "Error":
		return "Failed"
	}
	return "Succeeded"
}

// inner is what /state calls a state. It has other words for what is idle than the record.
func (v *version) inner() string {
	switch {
	case v.of.key.Kind == lifecycle.StreamingEndpoint && v.state == "Stopped" && !v.ran:
		return "Created"
	case v.of.key.Kind == lifecycle.LiveEvent && v.state == "Stopped":
		return "StandBy"
	}
	return v.state
}
