package poll

import (
	"context"
	"fmt"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// deltaSweeps request what changed on a list. They have no state: where the next one starts is part of the list's progress.
type deltaSweeps struct {
	*scope
	reporter *reporter
}

// sweep requests what changed since the last delta sweep, with an overlap, and adds the resources on the pages to seen.
func (p *deltaSweeps) sweep(ctx context.Context, l *list, class mkio.Class, seen map[lifecycle.Key]bool) error {
	base := l.progress.deltaSince()
	if seen == nil {
		seen = map[lifecycle.Key]bool{}
	}
	return p.walk(ctx, l, mkio.Filter{Since: base.Add(-max(p.intervals.sweep, minOverlap))}, class, seen)
}

// minOverlap is how far the clock of MK.IO's responses may be ahead of that of its records.
const minOverlap = 5 * time.Minute

// walk reports all rows of a filtered list, and adds their resources to seen. The filter is by time for a delta sweep, and by
// state for the active poll.
func (p *deltaSweeps) walk(ctx context.Context, l *list, f mkio.Filter, class mkio.Class, seen map[lifecycle.Key]bool) error {
	rows := p.reporter.newRowReporter(ctx, l, class)
	began, pages, err := p.walkPages(ctx, rows, f, seen)
	if err := rows.wait(err); err != nil {
		return err
	}
	if f.State != "" {
		p.logResourceErrors(l, modeActive, &rows.errs)
		return nil
	}
	l.progress.noteDeltaPages(pages)
	if p.logResourceErrors(l, modeDelta, &rows.errs) || rows.leftOut.Load() || began.From.IsZero() || began.Stored {
		return nil // the next delta sweep starts from the same time again
	}
	if l.progress.advanceDelta(began.From) { // the clock was set back: changes since then have times before the overlap
		l.schedule.bringForward(modeFull, time.Now())
	}
	return nil
}

// walkPages requests the pages one after the other, and returns how many there were. began is when the first one was requested;
// Stored if any was a stored copy.
func (p *deltaSweeps) walkPages(ctx context.Context, rows *rowReporter, f mkio.Filter, seen map[lifecycle.Key]bool) (began mkio.AsOf, n int, err error) {
	l := rows.list
	pages, ok := p.client.Pages(l.List, f)
	if !ok {
		return began, n, fmt.Errorf("no API path for the list of %s", l)
	}
	for ; pages.More(); n++ {
		req := p.newRequest(lifecycle.Poll, nil)
		req.identityChecked = new(bool)
		page, err := pages.Next(ctx, rows.class, l.List)
		if mkio.IsNotFound(err) && n == 0 {
			return began, n, nil // MK.IO responds 404 where nothing matches a filter
		}
		if err != nil {
			return began, n, err
		}
		if n == 0 {
			began.From = page.AsOf.From
		}
		began.Stored = began.Stored || page.AsOf.Stored
		if page.Unreadable > 0 {
			rows.errs.add(fmt.Errorf("%d rows name no resource", page.Unreadable))
		}
		req.asOf = page.AsOf
		if err := reportAll(rows, page.Rows, req, seen); err != nil {
			return began, n, err
		}
	}
	return began, n, nil
}

// reportAll reports rows, and adds all their resources to seen, including those behind a row at which the walk ends.
func reportAll(reporter *rowReporter, rows []mkio.Row, req request, seen map[lifecycle.Key]bool) (err error) {
	for _, row := range rows {
		seen[row.Key] = true
		if err == nil {
			err = reporter.report(row, reporter.reporter.headOf(row.Key), req)
		}
	}
	return err
}
