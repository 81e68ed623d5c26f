package mkio

import (
	"context"
	"fmt"
	"strings"

	"mkio-bridge/internal/lifecycle"
)

// capabilities are the MK.IO capabilities that a token needs to read each kind. Those of the Live API are documented for
// channels only; the others are named alike.
var capabilities = map[lifecycle.Kind]string{
	lifecycle.Asset:                  "ams.asset.get",
	lifecycle.ContentKeyPolicy:       "ams.contentkeypolicy.get",
	lifecycle.Job:                    "ams.job.get",
	lifecycle.LiveEvent:              "ams.liveevent.get",
	lifecycle.LiveOutput:             "ams.liveeventoutput.get",
	lifecycle.StreamingEndpoint:      "ams.streamingendpoint.get",
	lifecycle.StreamingLocator:       "ams.streaminglocator.get",
	lifecycle.Storage:                "infra.storage.get",
	lifecycle.Source:                 "flow.source.get",
	lifecycle.Content:                "flow.content.get",
	lifecycle.Destination:            "flow.destination.get",
	lifecycle.LiveChannel:            "transform.livechannel.get",
	lifecycle.LiveAPIEvent:           "transform.liveevent.get",
	lifecycle.StaticMultiviewChannel: "transform.staticmultiviewchannel.get",
	lifecycle.StaticMultiviewEvent:   "transform.staticmultiviewevent.get",
	lifecycle.ScheduledOperation:     "scheduling.event.get",
}

// Capability returns the capability that a token needs to read resources of a kind.
func Capability(kind lifecycle.Kind) string { return capabilities[kind] }

// Capabilities returns the capabilities that a token needs to read the list.
func (l List) Capabilities() string {
	names := make([]string, len(l.Kinds))
	for i, kind := range l.Kinds {
		names[i] = Capability(kind)
	}
	return strings.Join(names, ", ")
}

// Probe reads the first row of a list, to check whether the token may read it.
func (c *Client) Probe(ctx context.Context, l List) (Page, error) {
	pages, ok := c.Pages(l, Filter{})
	if !ok {
		return Page{}, fmt.Errorf("list of %s has no API path", l)
	}
	pages.query.Set("$top", "1")
	return pages.Next(ctx, Urgent, l)
}
