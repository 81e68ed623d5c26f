// Package right has the rights that a token needs for each call of MK.IO's API, as MK.IO documents them with each call. The one
// table serves the documents, the doctor and the simulated MK.IO.
//
// A right is written area.resource.verb, such as ams.job.get; in a restricted token that is "ams.job": ["get"].
package right

import (
	"net/http"
	"strings"
)

// Project is the right to list projects and to read one.
const Project = "core.project.get"

// resources has the resource of each path below a project; {} stands for a name. A longer path that begins with one of them,
// such as that of a state, needs the same right, unless it has an entry of its own.
var resources = []struct{ path, resource string }{
	{"", "core.project"},
	{"webhook/rules", "webhooks.config"},
	{"media/assets", "ams.asset"},
	{"media/contentKeyPolicies", "ams.contentkeypolicy"},
	{"media/transforms", "ams.transform"},
	{"media/transforms/{}/jobs", "ams.job"},
	{"media/jobs", "ams.job"},
	{"media/liveEvents", "ams.liveevent"},
	{"media/liveEvents/{}/liveOutputs", "ams.liveeventoutput"},
	{"media/streamingEndpoints", "ams.streamingendpoint"},
	{"media/streamingLocators", "ams.streaminglocator"},
	{"media/sources", "flow.source"},
	{"media/content", "flow.content"},
	{"media/destinations", "flow.destination"},
	{"media/storage", "infra.storage"},
	{"media/storage/{}/credentials", "infra.storagetoken"},
	{"live/search", "transform.livechannel"}, // rows of all four kinds; whether they are filtered by the kinds' own rights is not documented
	{"live/liveChannels", "transform.livechannel"},
	{"live/liveEvents", "transform.liveevent"},
	{"live/staticMultiviewChannels", "transform.staticmultiviewchannel"},
	{"live/staticMultiviewEvents", "transform.staticmultiviewevent"},
	{"live/liveChannels/{}/scheduledOperations", "scheduling.event"},
	{"live/liveEvents/{}/scheduledOperations", "scheduling.event"},
	{"live/staticMultiviewChannels/{}/scheduledOperations", "scheduling.event"},
	{"live/staticMultiviewEvents/{}/scheduledOperations", "scheduling.event"},
}

// ToGet returns the right that a GET below a project needs, by the segments of its path below the project; "" for an unknown
// path.
func ToGet(segments ...string) string {
	if resource := resourceOf(segments); resource != "" {
		return resource + ".get"
	}
	return ""
}

// actions has the verbs of POST requests, by the last segment of their path.
var actions = map[string]string{"start": ".start", "stop": ".stop", "listPaths": ".create"}

// To returns the right that a request below a project needs. A PUT needs create or update, depending on whether the resource
// exists; a POST needs what its action needs.
func To(method string, exists bool, segments ...string) string {
	var verb string
	switch {
	case method == http.MethodGet:
		return ToGet(segments...)
	case method == http.MethodPost:
		if len(segments) > 0 {
			verb = actions[segments[len(segments)-1]]
		}
		if verb == "" {
			return ""
		}
	case method == http.MethodDelete:
		verb = ".delete"
	case exists:
		verb = ".update"
	default:
		verb = ".create"
	}
	if resource := resourceOf(segments); resource != "" {
		return resource + verb
	}
	return ""
}

// resourceOf returns the resource of the longest path that the segments begin with.
func resourceOf(segments []string) (resource string) {
	longest := -1
	for _, r := range resources {
		var pattern []string
		if r.path != "" {
			pattern = strings.Split(r.path, "/")
		}
		if len(pattern) > longest && begins(segments, pattern) && (len(pattern) > 0 || len(segments) == 0) {
			resource, longest = r.resource, len(pattern)
		}
	}
	return resource
}

func begins(segments, pattern []string) bool {
	if len(segments) < len(pattern) {
		return false
	}
	for i, part := range pattern {
		if part != "{}" && part != segments[i] {
			return false
		}
	}
	return true
}
