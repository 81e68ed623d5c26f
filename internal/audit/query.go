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
	Marks   int       // how many starts of sweeps a coverage has at most

	// Samples returns a resource of each project and kind that has events, for kinds without sweeps; nil: they are read from the
	// log ([eventlog.Log.Samples]).
	Samples func(ctx context.Context, project string, kind lifecycle.Kind) ([]lifecycle.Key, error)
}

// ErrBeforeFirstSweep is for a period that ends before the first recorded sweep.
var ErrBeforeFirstSweep = errors.New("the period ends before the first sweep on record began")

// ErrNoSweep is for a log without any record of a sweep of the selected projects and kinds.
var ErrNoSweep = errors.New("no record of any sweep")

// Complete reports whether coverages prove their whole period, except for ends that are pending; not if there are none. Kinds
// that are not polled do not count.
func Complete(coverages []Coverage) bool {
	polled := slices.DeleteFunc(slices.Clone(coverages), func(c Coverage) bool { return !c.Polled })
	gaps := func(c Coverage) bool { return !c.Complete() }
	return len(polled) > 0 && !slices.ContainsFunc(polled, gaps)
}

// Period checks the period of a query: its beginning is before its end, and not in the future, about which nothing can be proven.
// A missing end is now.
func (q *Query) Period() error {
	if q.Until.IsZero() {
		q.Until = q.Now
	}
	switch {
	case !q.Since.Before(q.Until):
		return errors.New("since must be before until")
	case q.Since.After(q.Now):
		return errors.New("since is in the future: nothing is proven about it yet")
	}
	return nil
}

// lookback is how long before a period the sweep may have started that proves its beginning.
const lookback = 14 * 24 * time.Hour

// Coverages reads the records of a log, and returns what they prove about a period for each project and kind with records.
// If the first sweep ever of a project and kind began after the start of the period, the period starts with that sweep:
// nothing was compared before. Without a coverage that proves anything the error is [ErrNoSweep] or [ErrBeforeFirstSweep].
//
// Projects and kinds with events but without records follow as coverages that are not Polled, also with such an error.
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
		c.FirstSweep, c.Marks = firstSweep, thinned(c.Marks, q.Marks)
		coverages = append(coverages, c)
	}
	var none error
	switch {
	case len(records) == 0:
		none = ErrNoSweep
	case len(coverages) == 0:
		none = ErrBeforeFirstSweep
	}
	unpolled, err := q.unpolled(ctx, log, records)
	if err != nil {
		return nil, err
	}
	coverages = append(coverages, unpolled...)
	slices.SortFunc(coverages, func(a, b Coverage) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.Kind, b.Kind))
	})
	return coverages, none
}

// thinned returns at most n of some times, evenly, with the first and the last.
func thinned(times []time.Time, n int) []time.Time {
	if len(times) <= n {
		return times
	}
	var some []time.Time
	for i := range n {
		some = append(some, times[i*(len(times)-1)/max(n-1, 1)])
	}
	return some
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
