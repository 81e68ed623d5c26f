package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mkio-bridge/internal/eventlog"
)

// A Difference is where a log, or the coverage records beside it, are not as evidence says.
type Difference struct {
	// Unconfirmed is true if the records of the time have aged out, so that the evidence may be right.
	Unconfirmed bool   `json:"unconfirmed"`
	Found       string `json:"found"`
}

func differs(format string, args ...any) Difference {
	return Difference{Found: fmt.Sprintf(format, args...)}
}

// Recheck compares evidence with a log as it is now. verified is a verification of the log as it is now, with the evidence's root
// ([Evidence.Root]); its own violations are not repeated.
//
// What was pending when the evidence was made may be proven now, or a gap: it was not claimed.
func (e *Evidence) Recheck(ctx context.Context, log *eventlog.Log, verified *Report, now time.Time) ([]Difference, error) {
	bounds, err := log.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	var all []Difference
	confirmed := e.Verification != nil && verified.Wrong == 0 // by the root
	switch {
	case bounds.Identity != e.Log.Identity && !confirmed:
		return []Difference{differs("the log is another one: its identity is %s, and %s in the file; it was recreated or restored since, or is of another installation",
			bounds.Identity, e.Log.Identity)}, nil
	case bounds.Last < e.Log.Last:
		all = append(all, differs("the log ends at event %d, and at %d in the file: its end was truncated", bounds.Last, e.Log.Last))
	}
	if Complete(e.Coverage) != e.Complete {
		all = append(all, differs("the file says complete: %t, and its own coverage says otherwise", e.Complete))
	}
	coverage, err := e.recheckCoverage(ctx, log, now)
	return append(all, coverage...), err
}

// Root returns the root of the evidence's verification; nil if it has none.
func (e *Evidence) Root() *Root {
	if e.Verification == nil {
		return nil
	}
	root, err := ParseRoot(e.Verification.Root)
	if err != nil {
		return nil // not after ParseEvidence
	}
	return &root
}

// recheckCoverage compares what sweeps proved with what their records prove now.
func (e *Evidence) recheckCoverage(ctx context.Context, log *eventlog.Log, now time.Time) ([]Difference, error) {
	q := Query{Project: e.Filters.Project, Kind: e.Filters.Kind, Until: e.Period.Until, Now: now}
	if e.Period.Since != nil {
		q.Since = *e.Period.Since
	}
	covers, err := Coverages(ctx, log, q)
	if err != nil && !errors.Is(err, ErrNoSweep) && !errors.Is(err, ErrBeforeFirstSweep) {
		return nil, err
	}
	oldest, err := log.FirstCoverage(ctx, "", "")
	if err != nil {
		return nil, err
	}
	is := map[projectKind]Coverage{}
	for _, c := range covers {
		is[projectKind{c.Project, c.Kind}] = c
	}
	var all []Difference
	for _, was := range e.Coverage {
		of := projectKind{was.Project, was.Kind}
		c := is[of]
		delete(is, of)
		// The records that the file was made from began at most lookback before the period.
		agedOut := oldest.Sequence == 0 || oldest.Sequence > 1 && oldest.Stored.After(was.From.Add(-lookback))
		for _, found := range was.compare(c) {
			all = append(all, Difference{agedOut, fmt.Sprintf("coverage of %s in %q: %s", was.Kind, was.Project, found)})
		}
	}
	for _, c := range covers { // in their order
		if left, ok := is[projectKind{c.Project, c.Kind}]; ok && left.Polled && !left.Complete() {
			all = append(all, differs("coverage of %s in %q: the records have gaps, and the file does not have the kind", c.Kind, c.Project))
		}
	}
	return all, nil
}

// compare returns what a coverage claims that the records do not show now.
func (c Coverage) compare(now Coverage) (found []string) {
	for _, p := range c.Proofs {
		if !now.proves(p) {
			found = append(found, fmt.Sprintf("the file says that %s to %s is proven, and the records do not show it", formatTime(p.From), formatTime(p.To)))
		}
	}
	if !c.Polled {
		return found
	}
	if now.Polled && now.From.Before(c.From) {
		found = append(found, fmt.Sprintf("the file begins at %s, and the records at %s", formatTime(c.From), formatTime(now.From)))
	}
	for _, g := range c.Gaps {
		for _, p := range now.Proofs {
			if from, to := latest(g.From, p.From), earliest(g.To, p.To); from.Before(to) {
				found = append(found, fmt.Sprintf("the file says that %s to %s is not proven, and the records show that it is", formatTime(from), formatTime(to)))
			}
		}
	}
	return found
}

// proves reports whether all of a part of the period is proven.
func (c Coverage) proves(p Proof) bool {
	for _, own := range c.Proofs {
		if !p.From.Before(own.From) && !p.To.After(own.To) {
			return true
		}
	}
	return false
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
