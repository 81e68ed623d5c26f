package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"mkio-bridge/internal/audit"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/printable"
)

// An auditQuery is a period, and what it is asked of.
type auditQuery struct {
	selection
	now time.Time
}

func runAudit(ctx context.Context, c *call) error {
	q := auditQuery{now: time.Now()}
	set := c.flags()
	q.add(set)
	if _, err := c.parse(set, 0); err != nil {
		return err
	}
	if q.query.Until.IsZero() {
		q.query.Until = q.now
	}
	if !q.query.Since.Before(q.query.Until) {
		return usageError{errors.New("--since must be before --until")}
	}
	log, done, err := c.openLog(ctx)
	if err != nil {
		return err
	}
	defer done()
	covers, err := q.cover(ctx, log)
	if err != nil {
		return err
	}
	if len(covers) == 0 {
		return errors.New("there is no record of any sweep: does a bridge with an API token (BRIDGE_MKIO_TOKEN) run, and for how long?")
	}
	if q.output == "json" {
		err = printCoversJSON(c.stdout, covers)
	} else {
		c.header("%-40s  %8s  %-20s  %6s  %9s  %8s  %8s", "KIND", "PROVEN", "UP TO", "SWEEPS", "RESOURCES", "DIFFERED", "REPAIRED")
		err = printCovers(c.stdout, covers)
	}
	incomplete := func(c audit.Coverage) bool { return !c.Complete() }
	if err == nil && slices.ContainsFunc(covers, incomplete) {
		err = errors.New("not all of the period is proven complete")
	}
	return err
}

func (q *auditQuery) add(set *flag.FlagSet) {
	set.Func("kind", "only this kind, e.g. job", parsed(&q.query.Kind, lifecycle.ParseKind))
	set.StringVar(&q.query.Project, "project", "", "only this project")
	set.Func("since", "from this time on: "+eventlog.TimeForms+" (default: the first record)", parsed(&q.query.Since, eventlog.ParseTime))
	set.Func("until", "before this time, which is not part of the period: the same forms (default: now)", parsed(&q.query.Until, eventlog.ParseTime))
	outputFlag(set, &q.output, "one object a line")
}

// lookBack is how long before a period the sweep may have begun that proves its beginning.
const lookBack = 14 * 24 * time.Hour

// cover reads the records and tells what they prove, for each project and kind.
func (q *auditQuery) cover(ctx context.Context, log *eventlog.Log) ([]audit.Coverage, error) {
	from := q.query.Since
	if !from.IsZero() {
		from = from.Add(-lookBack)
	}
	type of struct {
		project string
		kind    lifecycle.Kind
	}
	records := map[of][]event.Coverage{}
	for r, err := range log.Coverage(ctx, q.query.Project, q.query.Kind, from) {
		if err != nil {
			return nil, err
		}
		records[of{r.Project, r.Kind}] = append(records[of{r.Project, r.Kind}], r)
	}
	oldest := sync.OnceValues(func() (eventlog.StoredCoverage, error) { return log.FirstCoverage(ctx, "", "") })
	var covers []audit.Coverage
	for _, rows := range records {
		since, first := q.query.Since, rows[0].From
		if since.IsZero() {
			since = first
		}
		var begun *time.Time
		if since.Before(first) {
			never, err := q.neverCompared(ctx, log, rows[0], oldest)
			if err != nil {
				return nil, err
			}
			if never { // so there is nothing to prove
				since, begun = first, &first
			}
		}
		if !since.Before(q.query.Until) {
			continue // all of it is of later
		}
		c := audit.Cover(rows, since, q.query.Until, q.now)
		c.Begun = begun
		covers = append(covers, c)
	}
	if len(records) > 0 && len(covers) == 0 {
		return nil, errors.New("the period ends before the first sweep on record began: choose a later --until")
	}
	slices.SortFunc(covers, func(a, b audit.Coverage) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.Kind, b.Kind))
	})
	return covers, nil
}

// neverCompared says whether the first record that was read of a project and kind is the first there ever was: no older
// one of them is kept, and none can have aged out.
func (q *auditQuery) neverCompared(ctx context.Context, log *eventlog.Log, read event.Coverage, oldest func() (eventlog.StoredCoverage, error)) (bool, error) {
	first, err := log.FirstCoverage(ctx, read.Project, read.Kind)
	if err != nil || first.Record.RecordedTime.Before(read.RecordedTime) {
		return false, err
	}
	kept, err := oldest()
	return err == nil && (kept.Sequence == 1 || !kept.Stored.After(q.query.Since)), err
}

func printCoversJSON(w io.Writer, covers []audit.Coverage) error {
	for _, c := range covers {
		if err := printJSON(w, c); err != nil {
			return err
		}
	}
	return nil
}

func printCovers(w io.Writer, covers []audit.Coverage) error {
	for _, c := range covers {
		share := 100 * float64(c.Share) / float64(c.To.Sub(c.From))
		if _, err := fmt.Fprintf(w, "%-40s  %6.2f %%  %-20s  %6d  %9d  %8d  %8d\n", printable.Name(c.Project)+" "+string(c.Kind), share,
			c.Proven.UTC().Format(time.RFC3339), c.Sweeps, c.Resources, c.Differed, c.Repaired); err != nil {
			return err
		}
		for _, g := range c.Gaps {
			if _, err := fmt.Fprintf(w, "  not proven from %s to %s (%s): %s\n", g.From.UTC().Format(time.RFC3339), g.To.UTC().Format(time.RFC3339),
				g.To.Sub(g.From).Round(time.Second), printable.Sentence(g.Reason)); err != nil {
				return err
			}
		}
	}
	return printBegun(w, covers)
}

// printBegun says of which kinds the period begins later than was asked for.
func printBegun(w io.Writer, covers []audit.Coverage) error {
	var begun []time.Time
	for _, c := range covers {
		if c.Begun != nil {
			begun = append(begun, c.Begun.UTC())
		}
	}
	if len(begun) == 0 {
		return nil
	}
	first, last := slices.MinFunc(begun, time.Time.Compare), slices.MaxFunc(begun, time.Time.Compare)
	_, err := fmt.Fprintf(w, "%d of these begin with their first sweep (%s to %s): before it there was nothing to compare\n",
		len(begun), first.Format(time.RFC3339), last.Format(time.RFC3339))
	return err
}
