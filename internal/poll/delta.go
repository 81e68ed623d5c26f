package poll

import (
	"context"
	"fmt"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// deltaSweeps ask for what changed on lists. They have no state: up to when they asked is the list's progress.
type deltaSweeps struct {
	*scope
	reporter *reporter
}

// ask asks for what changed since the last time, with an overlap, and adds the resources that it saw to seen.
func (p *deltaSweeps) sweep(ctx context.Context, l *list, class mkio.Class, seen map[lifecycle.Key]bool) error {
	base := l.progress.deltaSince()
	if seen == nil {
		seen = map[lifecycle.Key]bool{}
	}
	return p.walk(ctx, l, mkio.Filter{Since: base.Add(-max(p.intervals.sweep, minOverlap))}, class, seen)
}

// leastOverlap is what the clock of MK.IO's answers may be ahead of that of its records.
const minOverlap = 5 * time.Minute

// walk gives all rows of a filtered list to the reporter, and adds their resources to seen. The filter is by time for a delta
// sweep, or by state for the active poll.
func (p *deltaSweeps) walk(ctx context.Context, l *list, f mkio.Filter, class mkio.Class, seen map[lifecycle.Key]bool) error {
	rows := p.reporter.newRowReporter(ctx, l, class)
	began, err := p.walkPages(ctx, rows, f, seen)
	if err := rows.wait(err); err != nil {
		return err
	}
	if f.State != "" {
		p.logResourceErrors(l, modeActive, &rows.errs)
		return nil
	}
	if p.logResourceErrors(l, modeDelta, &rows.errs) || began.From.IsZero() || began.Stored {
		return nil // the next delta sweep asks from the same time again
	}
	if l.progress.advanceDelta(began.From) { // what changed since had times that were not asked for, so all is compared
		l.schedule.bringForward(modeFull, time.Now())
	}
	return nil
}

// pages asks for the pages one after the other, and returns when the first was asked for; Stored where one was a stored copy.
func (p *deltaSweeps) walkPages(ctx context.Context, rows *rowReporter, f mkio.Filter, seen map[lifecycle.Key]bool) (began mkio.Moment, err error) {
	l := rows.list
	pages, ok := p.client.Pages(l.List, f)
	if !ok {
		return began, fmt.Errorf("no path leads to the list of %s", l)
	}
	for first := true; pages.More(); first = false {
		req := request{horizon: p.eventLog.Horizon(), via: lifecycle.Poll, identityChecked: new(bool)}
		page, err := pages.Next(ctx, rows.class, l.List)
		if mkio.IsNotFound(err) && first {
			return began, nil // MK.IO answers so where nothing matches
		}
		if err != nil {
			return began, err
		}
		if first {
			began.From = page.Moment.From
		}
		began.Stored = began.Stored || page.Moment.Stored
		if page.Unreadable > 0 {
			rows.errs.add(fmt.Errorf("%d rows tell no resource", page.Unreadable))
		}
		req.moment = page.Moment
		if err := reportAll(rows, page.Rows, req, seen); err != nil {
			return began, err
		}
	}
	return began, nil
}

// showAll gives rows to the reporter, and adds all their resources to seen, also those behind a row at which the walk ends.
func reportAll(reporter *rowReporter, rows []mkio.Row, req request, seen map[lifecycle.Key]bool) (err error) {
	for _, row := range rows {
		seen[row.Key] = true
		if err == nil {
			err = reporter.report(row, reporter.reporter.headOf(row.Key), req)
		}
	}
	return err
}
