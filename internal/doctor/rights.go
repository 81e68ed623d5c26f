package doctor

import (
	"context"
	"net/http"
	"strings"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/printable"
)

// checkRights tries to read a row of every list that is polled: first the lists of a project, then those below a resource,
// where the first ones showed such a resource.
func (x *examination) checkRights(ctx context.Context, project string) {
	parents := map[lifecycle.Kind]lifecycle.Key{} // a resource that was seen, by the kind that lies below it
	for _, list := range mkio.Lists(project, x.MKIO.Kinds) {
		for _, row := range x.checkList(ctx, list).Rows {
			if below, any := mkio.ListBelow(row.Key); any {
				parents[below.Kinds[0]] = row.Key
			}
		}
	}
	for _, kind := range x.MKIO.Kinds {
		if len(mkio.ParentKinds(kind)) == 0 {
			continue
		}
		list, seen := mkio.ListBelow(parents[kind])
		if !seen {
			x.report(ok(rightOf(project, kind), "not tried: nothing was seen that it could lie below"))
			continue
		}
		x.checkList(ctx, list)
	}
}

func rightOf(project string, kinds ...lifecycle.Kind) string {
	names := make([]string, len(kinds))
	for i, kind := range kinds {
		names[i] = string(kind)
	}
	return "right to read " + strings.Join(names, ",") + " in " + printable.Name(project)
}

func (x *examination) checkList(ctx context.Context, list mkio.List) mkio.Page {
	check := rightOf(list.Project, list.Kinds...)
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	page, err := x.client.Probe(ctx, list)
	switch {
	case err == nil:
		x.report(ok(check, "the token has it"))
	case mkio.StatusOf(err) == http.StatusForbidden:
		x.report(failed(check, reason(err), RightMissing).withCause(&RightError{Right: list.Right(), Err: err}))
	default:
		x.report(failed(check, reason(err), ListUnreadable).withCause(err))
	}
	return page
}
