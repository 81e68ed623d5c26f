package audit

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// A Query is a period, and what it is asked of.
type Query struct {
	Project string         // "": all
	Kind    lifecycle.Kind // "": all
	Since   time.Time      // zero: the first record of each project and kind
	Until   time.Time
	Now     time.Time // tells what is overdue
}

// ErrBeforeFirst is for a period that is over before anything was compared.
var ErrBeforeFirst = errors.New("the period ends before the first sweep on record began")

// lookBack is how long before a period the sweep may have begun that proves its beginning.
const lookBack = 14 * 24 * time.Hour

// Covers reads the records of a log and tells what they prove of a period, for each project and kind; none where there is no
// record. Of a project and kind whose first sweep ever came after the beginning, the period begins with that sweep: before
// it there was nothing to compare.
func Covers(ctx context.Context, log *eventlog.Log, q Query) ([]Coverage, error) {
	records, err := q.records(ctx, log)
	if err != nil {
		return nil, err
	}
	oldest := sync.OnceValues(func() (eventlog.StoredCoverage, error) { return log.FirstCoverage(ctx, "", "") })
	var covers []Coverage
	for _, rows := range records {
		since, first := q.Since, rows[0].From
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
		if !since.Before(q.Until) {
			continue // all of it is of later
		}
		c := Cover(rows, since, q.Until, q.Now)
		c.Begun = begun
		covers = append(covers, c)
	}
	if len(records) > 0 && len(covers) == 0 {
		return nil, ErrBeforeFirst
	}
	slices.SortFunc(covers, func(a, b Coverage) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.Kind, b.Kind))
	})
	return covers, nil
}

// A subject is what records are of.
type subject struct {
	project string
	kind    lifecycle.Kind
}

// records reads those of the period, and those before it that may prove its beginning.
func (q Query) records(ctx context.Context, log *eventlog.Log) (map[subject][]event.Coverage, error) {
	from := q.Since
	if !from.IsZero() {
		from = from.Add(-lookBack)
	}
	records := map[subject][]event.Coverage{}
	for r, err := range log.Coverage(ctx, q.Project, q.Kind, from) {
		if err != nil {
			return nil, err
		}
		of := subject{r.Project, r.Kind}
		records[of] = append(records[of], r)
	}
	return records, nil
}

// neverCompared says whether the first record that was read of a project and kind is the first there ever was: no older
// one of them is kept, and none can have aged out.
func (q Query) neverCompared(ctx context.Context, log *eventlog.Log, read event.Coverage, oldest func() (eventlog.StoredCoverage, error)) (bool, error) {
	first, err := log.FirstCoverage(ctx, read.Project, read.Kind)
	if err != nil || first.Record.RecordedTime.Before(read.RecordedTime) {
		return false, err
	}
	kept, err := oldest()
	return err == nil && (kept.Sequence == 1 || !kept.Stored.After(q.Since)), err
}
