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
func (p *deltaSweeps) ask(ctx context.Context, l *list, class mkio.Class, seen map[lifecycle.Key]bool) error {
	base := l.progress.since()
	if seen == nil {
		seen = map[lifecycle.Key]bool{}
	}
	return p.walk(ctx, l, mkio.Filter{Since: base.Add(-max(p.pace.sweep, leastOverlap))}, class, seen)
}

// leastOverlap is what the clock of MK.IO's answers may be ahead of that of its records.
const leastOverlap = 5 * time.Minute

// walk gives all rows of a filtered list to the reporter, and adds their resources to seen. The filter is by time for a delta
// sweep, or by state for the active poll.
func (p *deltaSweeps) walk(ctx context.Context, l *list, f mkio.Filter, class mkio.Class, seen map[lifecycle.Key]bool) error {
	shower := p.reporter.newShower(ctx, l, class)
	began, err := p.pages(ctx, shower, f, seen)
	if err := shower.wait(err); err != nil {
		return err
	}
	if f.State != "" {
		p.tellTroubles(l, looking, &shower.troubles)
		return nil
	}
	if p.tellTroubles(l, changes, &shower.troubles) || began.From.IsZero() || began.Stored {
		return nil // the next delta sweep asks from the same time again
	}
	if l.progress.askedUpTo(began.From) { // what changed since had times that were not asked for, so all is compared
		l.schedule.soon(sweeping, time.Now())
	}
	return nil
}

// pages asks for the pages one after the other, and returns when the first was asked for; Stored where one was a stored copy.
func (p *deltaSweeps) pages(ctx context.Context, shower *rowShower, f mkio.Filter, seen map[lifecycle.Key]bool) (began mkio.Moment, err error) {
	l := shower.list
	pages, ok := p.client.Pages(l.List, f)
	if !ok {
		return began, fmt.Errorf("no path leads to the list of %s", l)
	}
	for first := true; pages.More(); first = false {
		a := request{horizon: p.eventLog.Horizon(), via: lifecycle.Poll, identified: new(bool)}
		page, err := pages.Next(ctx, shower.class, l.List)
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
			shower.troubles.add(fmt.Errorf("%d rows tell no resource", page.Unreadable))
		}
		a.moment = page.Moment
		if err := showAll(shower, page.Rows, a, seen); err != nil {
			return began, err
		}
	}
	return began, nil
}

// showAll gives rows to the reporter, and adds all their resources to seen, also those behind a row at which the walk ends.
func showAll(shower *rowShower, rows []mkio.Row, a request, seen map[lifecycle.Key]bool) (err error) {
	for _, row := range rows {
		seen[row.Key] = true
		if err == nil {
			err = shower.show(row, shower.reporter.headOf(row.Key), a)
		}
	}
	return err
}
