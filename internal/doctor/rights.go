package doctor

import (
	"context"
	"net/http"
	"strings"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
	"mkio-bridge/internal/printable"
)

// checkRights reads a row of every polled list: first the lists of the project, then those of child resources, if the first
// ones have a parent resource. Where a list needs another right than its resources, that is checked too.
func (x *examination) checkRights(ctx context.Context, project string) {
	parents := map[lifecycle.Kind]lifecycle.Key{} // a parent resource, by the kind of its children
	for _, list := range mkio.Lists(project, x.MKIO.Kinds) {
		for _, row := range x.checkList(ctx, list).Rows {
			if childList, hasChildren := mkio.ListBelow(row.Key); hasChildren {
				parents[childList.Kinds[0]] = row.Key
			}
		}
	}
	for _, kind := range x.MKIO.Kinds {
		if list, has := mkio.OwnList(project, kind); has {
			x.checkSingle(ctx, list)
		}
		if len(mkio.ParentKinds(kind)) == 0 {
			continue
		}
		list, seen := mkio.ListBelow(parents[kind])
		if !seen {
			x.report(ok(rightCheck(project, kind), "skipped: no parent resource exists"))
			continue
		}
		x.checkList(ctx, list)
	}
}

func rightCheck(project string, kinds ...lifecycle.Kind) string {
	names := make([]string, len(kinds))
	for i, kind := range kinds {
		names[i] = string(kind)
	}
	return "right to read " + strings.Join(names, ",") + " in " + printable.Name(project)
}

func (x *examination) checkList(ctx context.Context, list mkio.List) mkio.Page {
	check := rightCheck(list.Project, list.Kinds...)
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	page, err := x.client.Probe(ctx, list)
	switch {
	case err == nil:
		x.report(ok(check, "granted"))
	case mkio.StatusOf(err) == http.StatusForbidden:
		x.report(failed(check, reason(err), RightMissing).withCause(&RightError{Right: list.Right(), Err: err}))
	default:
		x.report(failed(check, reason(err), ListUnreadable).withCause(err))
	}
	return page
}

// checkSingle checks the right to read one resource of a kind, by the kind's own list, which needs the same.
func (x *examination) checkSingle(ctx context.Context, list mkio.List) {
	check := "right to read a single " + string(list.Kinds[0]) + " in " + printable.Name(list.Project)
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	_, err := x.client.Probe(ctx, list)
	switch {
	case err == nil:
		x.report(ok(check, "granted"))
	case mkio.StatusOf(err) == http.StatusForbidden:
		x.report(warning(check, "its list is polled, but no deletion is confirmed: "+reason(err), RightMissing).withCause(&RightError{Right: list.Right(), Err: err}))
	default:
		x.report(warning(check, reason(err), ListUnreadable).withCause(err))
	}
}
