package mkio

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio/right"
)

// RightsToPoll returns the rights that a token needs to poll a kind: to read its list, and to read one resource. A kind whose
// list is below its parents needs besides what their kinds need.
func RightsToPoll(kind lifecycle.Kind) []string {
	var needed []string
	for _, l := range Lists("", []lifecycle.Kind{kind}) {
		needed = append(needed, l.Right())
	}
	if own := rightOf(kind); !slices.Contains(needed, own) {
		needed = append(needed, own)
	}
	return needed
}

// rightOf returns the right to read one resource of a kind; "" for a kind that is not polled.
func rightOf(kind lifecycle.Kind) string {
	i := slices.IndexFunc(locations, func(p location) bool { return p.kind == kind })
	segments := []string{locations[i].area}
	for _, collection := range locations[i].collections {
		segments = append(segments, collection, "{}")
	}
	return right.ToGet(segments...)
}

// Right returns the right that a token needs to read the list.
func (l List) Right() string {
	if l.endpoint.path != "" {
		return right.ToGet(strings.Split(l.endpoint.path, "/")...)
	}
	return rightOf(l.Kinds[0])
}

// OwnList returns the list of one kind whose resources are polled by a list that needs another right; false for any other kind.
// It needs the right to read one resource, so that a probe of it checks that right.
func OwnList(project string, kind lifecycle.Kind) (List, bool) {
	if len(RightsToPoll(kind)) == 1 {
		return List{}, false
	}
	i := slices.IndexFunc(locations, func(p location) bool { return p.kind == kind })
	return List{Project: project, Kinds: []lifecycle.Kind{kind}, endpoint: listEndpoint{
		kinds: []lifecycle.Kind{kind}, path: locations[i].area + "/" + locations[i].collections[0],
	}}, true
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
