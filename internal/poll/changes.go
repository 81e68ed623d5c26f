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

// ask asks for what changed since the last time, with an overlap, and notes whom it saw.
func (p *deltaSweeps) ask(ctx context.Context, l *list, class mkio.Class, seen map[lifecycle.Key]bool) error {
	base := l.progress.since()
	if seen == nil {
		seen = map[lifecycle.Key]bool{}
	}
	return p.walk(ctx, l, mkio.Filter{Since: base.Add(-max(p.pace.sweep, leastOverlap))}, class, seen)
}

// leastOverlap is what the clock of MK.IO's answers may be ahead of that of its records.
const leastOverlap = 5 * time.Minute

// walk shows all rows of a narrowed list, and notes whom it saw.
func (p *deltaSweeps) walk(ctx context.Context, l *list, f mkio.Filter, class mkio.Class, seen map[lifecycle.Key]bool) error {
	pages, ok := p.client.Pages(l.List, f)
	if !ok {
		return fmt.Errorf("no path leads to the list of %s", l)
	}
	var base time.Time
	stored := false
	shower := p.reporter.newShower(ctx, l, class)
	for first := true; pages.More(); first = false {
		a := asked{horizon: p.state.Horizon(), via: lifecycle.Poll, identified: new(bool)}
		page, err := pages.Next(ctx, class, l.List)
		if mkio.IsNotFound(err) && first {
			break // MK.IO answers so where nothing matches
		}
		if err != nil {
			return shower.wait(err)
		}
		if first {
			base = page.Moment.From
		}
		stored = stored || page.Moment.Stored
		if page.Unreadable > 0 {
			shower.troubles.add(fmt.Errorf("%d rows tell no resource", page.Unreadable))
		}
		a.moment = page.Moment
		for _, row := range page.Rows {
			seen[row.Key] = true
			if err == nil {
				err = shower.show(row, p.entryOf(row.Key), a)
			}
		}
		if err != nil {
			return shower.wait(err)
		}
	}
	if err := shower.wait(nil); err != nil {
		return err
	}
	if f.State != "" {
		p.tellTroubles(l, looking, &shower.troubles)
		return nil
	}
	if p.tellTroubles(l, changes, &shower.troubles) || base.IsZero() || stored {
		return nil // they are asked for again, up to the next sweep
	}
	if l.progress.askedUpTo(base) { // what changed since had times that were not asked for, so all is compared
		l.schedule.soon(sweeping, time.Now())
	}
	return nil
}
