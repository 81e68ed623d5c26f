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

// A Query selects a period, projects and kinds.
type Query struct {
	Project string         // "": all
	Kind    lifecycle.Kind // "": all
	Since   time.Time      // zero: the first record of each project and kind
	Until   time.Time
	Now     time.Time // decides which sweeps are overdue
}

// ErrBeforeFirstSweep is for a period that ends before the first recorded sweep.
var ErrBeforeFirstSweep = errors.New("the period ends before the first sweep on record began")

// ErrNoSweep is for a log without any record of a sweep of the selected projects and kinds.
var ErrNoSweep = errors.New("no record of any sweep")

// Complete reports whether coverages prove their whole period, except for ends that are pending; not if there are none.
func Complete(coverages []Coverage) bool {
	gaps := func(c Coverage) bool { return !c.Complete() }
	return len(coverages) > 0 && !slices.ContainsFunc(coverages, gaps)
}

// lookback is how long before a period the sweep may have started that proves its beginning.
const lookback = 14 * 24 * time.Hour

// Coverages reads the records of a log, and returns what they prove about a period for each project and kind with records.
// If the first sweep ever of a project and kind began after the start of the period, the period starts with that sweep:
// nothing was compared before. Without coverages the error is [ErrNoSweep] or [ErrBeforeFirstSweep].
func Coverages(ctx context.Context, log *eventlog.Log, q Query) ([]Coverage, error) {
	records, err := q.records(ctx, log)
	if err != nil {
		return nil, err
	}
	oldest := sync.OnceValues(func() (eventlog.StoredCoverage, error) { return log.FirstCoverage(ctx, "", "") })
	var coverages []Coverage
	for _, rows := range records {
		since, first := q.Since, rows[0].From
		if since.IsZero() {
			since = first
		}
		var firstSweep *time.Time
		if since.Before(first) {
			never, err := q.neverCompared(ctx, log, rows[0], oldest)
			if err != nil {
				return nil, err
			}
			if never { // nothing to prove before the first sweep
				since, firstSweep = first, &first
			}
		}
		if !since.Before(q.Until) {
			continue // all records are after the period
		}
		c := CoverageOf(rows, since, q.Until, q.Now)
		c.FirstSweep = firstSweep
		coverages = append(coverages, c)
	}
	switch {
	case len(records) == 0:
		return nil, ErrNoSweep
	case len(coverages) == 0:
		return nil, ErrBeforeFirstSweep
	}
	slices.SortFunc(coverages, func(a, b Coverage) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.Kind, b.Kind))
	})
	return coverages, nil
}

// A projectKind is the project and kind of a record.
type projectKind struct {
	project string
	kind    lifecycle.Kind
}

// records reads the records of the period, and those before it that may prove its beginning.
func (q Query) records(ctx context.Context, log *eventlog.Log) (map[projectKind][]event.Coverage, error) {
	from := q.Since
	if !from.IsZero() {
		from = from.Add(-lookback)
	}
	records := map[projectKind][]event.Coverage{}
	for r, err := range log.Coverage(ctx, q.Project, q.Kind, from) {
		if err != nil {
			return nil, err
		}
		of := projectKind{r.Project, r.Kind}
		records[of] = append(records[of], r)
	}
	return records, nil
}

// neverCompared reports whether the first record that was read of a project and kind is its first ever: the stream has no
// older one, and none can have aged out.
func (q Query) neverCompared(ctx context.Context, log *eventlog.Log, read event.Coverage, oldest func() (eventlog.StoredCoverage, error)) (bool, error) {
	first, err := log.FirstCoverage(ctx, read.Project, read.Kind)
	if err != nil || first.Record.RecordedTime.Before(read.RecordedTime) {
		return false, err
	}
	oldestRecord, err := oldest()
	return err == nil && (oldestRecord.Sequence == 1 || !oldestRecord.Stored.After(q.Since)), err
}
