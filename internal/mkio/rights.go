package mkio

import (
	"context"
	"fmt"
	"strings"

	"mkio-bridge/internal/lifecycle"
)

// rights are the capabilities that a token needs to read each kind. The Live API's are documented for channels
// and named alike for the others.
var rights = map[lifecycle.Kind]string{
	lifecycle.Asset:                  "ams.asset.get",
	lifecycle.ContentKeyPolicy:       "ams.contentkeypolicy.get",
	lifecycle.Job:                    "ams.job.get",
	lifecycle.LiveEvent:              "ams.liveevent.get",
	lifecycle.LiveOutput:             "ams.liveeventoutput.get",
	lifecycle.StreamingEndpoint:      "ams.streamingendpoint.get",
	lifecycle.StreamingLocator:       "ams.streaminglocator.get",
	lifecycle.Source:                 "flow.source.get",
	lifecycle.Content:                "flow.content.get",
	lifecycle.Destination:            "flow.destination.get",
	lifecycle.LiveChannel:            "transform.livechannel.get",
	lifecycle.LiveAPIEvent:           "transform.liveevent.get",
	lifecycle.StaticMultiviewChannel: "transform.staticmultiviewchannel.get",
	lifecycle.StaticMultiviewEvent:   "transform.staticmultiviewevent.get",
	lifecycle.ScheduledOperation:     "scheduling.event.get",
}

// Right names the capability that a token needs to read resources of a kind.
func Right(kind lifecycle.Kind) string { return rights[kind] }

// Right names the capabilities that a token needs to read what is on the list.
func (l List) Right() string {
	names := make([]string, len(l.Kinds))
	for i, kind := range l.Kinds {
		names[i] = Right(kind)
	}
	return strings.Join(names, ", ")
}

// Probe asks for the first row of a list, to see whether it may be read.
func (c *Client) Probe(ctx context.Context, l List) (Page, error) {
	pages, ok := c.Pages(l, Filter{})
	if !ok {
		return Page{}, fmt.Errorf("no path leads to the list of %s", l)
	}
	pages.query.Set("$top", "1")
	return pages.Next(ctx, Urgent, l)
}
