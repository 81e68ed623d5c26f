package mkiofake

import (
	"net/url"
	"strings"

	"mkio-bridge/internal/lifecycle"
)

// A kindInfo describes one kind: its path, its record and its list.
type kindInfo struct {
	kind             lifecycle.Kind
	area             string
	collections      []string       // one before each name in the path, outermost first
	parent           lifecycle.Kind // of scheduled operations: their first name is the kind of their parent
	label            string         // kind in the record or, for media kinds, in the list
	fields           []string       // documented fields for filters and orders of its list
	hasStateEndpoint bool           // /state exists
	stateless        bool           // its record has no state
	provisioned      bool           // it has a provisioningState
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
	storageFields  = []string{"name", "created", "updated", "privateLinkServiceConnectionStatus"}
	plainFields    = []string{"name", "created", "updated"}
)

var kindInfos = []*kindInfo{
	{kind: lifecycle.Asset, area: mediaArea, collections: []string{"assets"}, label: "Asset", fields: mediaFields, hasStateEndpoint: true, stateless: true},
	{kind: lifecycle.ContentKeyPolicy, area: mediaArea, collections: []string{"contentKeyPolicies"}, label: "ContentKeyPolicy", fields: mediaFields, hasStateEndpoint: true, stateless: true},
	{kind: lifecycle.Job, area: mediaArea, collections: []string{"transforms", "jobs"}, label: "Job", fields: jobFields, hasStateEndpoint: true},
	{kind: lifecycle.LiveEvent, area: mediaArea, collections: []string{"liveEvents"}, label: "LiveEvent", fields: runningFields, hasStateEndpoint: true, provisioned: true},
	{kind: lifecycle.LiveOutput, area: mediaArea, collections: []string{"liveEvents", "liveOutputs"}, label: "LiveOutput", fields: mediaFields, hasStateEndpoint: true, provisioned: true},
	{kind: lifecycle.StreamingEndpoint, area: mediaArea, collections: []string{"streamingEndpoints"}, label: "StreamingEndpoint", fields: runningFields, hasStateEndpoint: true, provisioned: true},
	{kind: lifecycle.StreamingLocator, area: mediaArea, collections: []string{"streamingLocators"}, label: "StreamingLocator", fields: locatorFields, hasStateEndpoint: true, provisioned: true},
	{kind: lifecycle.Storage, area: mediaArea, collections: []string{"storage"}, label: "storage", fields: storageFields},
	{kind: lifecycle.Source, area: mediaArea, collections: []string{"sources"}, label: "source", fields: sourceFields},
	{kind: lifecycle.Content, area: mediaArea, collections: []string{"content"}, label: "content", fields: plainFields},
	{kind: lifecycle.Destination, area: mediaArea, collections: []string{"destinations"}, label: "destination", fields: plainFields},
	{kind: lifecycle.LiveChannel, area: liveArea, collections: []string{"liveChannels"}, label: "liveChannel", fields: liveFields, hasStateEndpoint: true},
	{kind: lifecycle.LiveAPIEvent, area: liveArea, collections: []string{"liveEvents"}, label: "liveEvent", fields: liveFields, hasStateEndpoint: true},
	{kind: lifecycle.StaticMultiviewChannel, area: liveArea, collections: []string{"staticMultiviewChannels"}, label: "staticMultiviewChannel", fields: liveFields, hasStateEndpoint: true},
	{kind: lifecycle.StaticMultiviewEvent, area: liveArea, collections: []string{"staticMultiviewEvents"}, label: "staticMultiviewEvent", fields: liveFields, hasStateEndpoint: true},
	scheduledBelow(lifecycle.LiveChannel, "liveChannels"),
	scheduledBelow(lifecycle.LiveAPIEvent, "liveEvents"),
	scheduledBelow(lifecycle.StaticMultiviewChannel, "staticMultiviewChannels"),
	scheduledBelow(lifecycle.StaticMultiviewEvent, "staticMultiviewEvents"),
}

func scheduledBelow(parent lifecycle.Kind, collection string) *kindInfo {
	return &kindInfo{
		kind: lifecycle.ScheduledOperation, area: liveArea, parent: parent, label: "scheduledOperation",
		collections: []string{collection, "scheduledOperations"}, fields: scheduleFields,
	}
}

// liveKinds are the kinds that live/search lists together.
var liveKinds = []lifecycle.Kind{
	lifecycle.LiveChannel, lifecycle.LiveAPIEvent, lifecycle.StaticMultiviewChannel, lifecycle.StaticMultiviewEvent,
}

func kindInfoOf(key lifecycle.Key) (*kindInfo, bool) {
	for _, p := range kindInfos {
		if p.kind == key.Kind && (p.parent == "" || string(p.parent) == key.Names()[0]) {
			return p, true
		}
	}
	return nil, false
}

// pathNames returns the names of a key that are in its path.
func (p *kindInfo) pathNames(key lifecycle.Key) []string {
	names := key.Names()
	return names[len(names)-len(p.collections):]
}

// relativePath returns the path of a resource below its area, names encoded by encode.
func (p *kindInfo) relativePath(key lifecycle.Key, encode func(string) string) string {
	var parts []string
	for i, name := range p.pathNames(key) {
		parts = append(parts, p.collections[i], encode(name))
	}
	return strings.Join(parts, "/")
}

// source returns the source of deliveries. Those of jobs omit the area.
func (p *kindInfo) source(key lifecycle.Key) string {
	path := "/api/v1/projects/" + url.PathEscape(key.Project) + "/"
	if p.kind != lifecycle.Job {
		path += p.area + "/"
	}
	return path + p.relativePath(key, url.PathEscape)
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

// EventTypes returns the types that a webhook rule can select.
func EventTypes() []string {
	return []string{
		jobStarted, jobFinished, locatorCreated, instanceStarted, instanceStopped, instanceError,
		operationOK, operationOngoing, operationDone, operationError,
	}
}

// webhookType returns the type of the delivery for a state, "" if MK.IO sends none, and the previous state that the delivery
// claims: for jobs the documented one, not the real one.
func (p *kindInfo) webhookType(previous, state string, processed bool) (eventType, previousState string) {
	switch p.kind {
	case lifecycle.Job:
		switch state {
		case "Processing":
			return jobStarted, "Queued"
		case "Finished", "Error", "Canceled":
			if processed {
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
	case lifecycle.LiveEvent, lifecycle.LiveChannel, lifecycle.LiveAPIEvent, lifecycle.StaticMultiviewChannel, lifecycle.StaticMultiviewEvent:
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

// provisioning returns the provisioningState that goes with a state, unless a step sets it.
func (p *kindInfo) provisioning(state string) string {
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

// endpointState returns the state as /state spells it, which has another vocabulary for idle resources than the record.
func (v *version) endpointState() string {
	switch {
	case v.resource.key.Kind == lifecycle.StreamingEndpoint && v.state == "Stopped" && !v.wasRunning:
		return "Created"
	case v.resource.key.Kind == lifecycle.LiveEvent && v.state == "Stopped":
		return "StandBy"
	}
	return v.state
}
