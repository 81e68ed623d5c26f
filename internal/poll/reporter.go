package poll

import (
	"context"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// A reporter makes observations of what MK.IO's answers show, and gives the log those that are news. It has no state.
type reporter struct {
	*scope
	observer  Observer
	identity  *identityCheck
	deletions *waitingDeletions
	first     *firstSweeps
	motions   *motions
	rechecks  *recheckQueue
}

// A request is what the reporter must know of one request to MK.IO: what was recorded before it, and when MK.IO made the answer.
type request struct {
	horizon uint64 // the log's, before the request
	moment  mkio.Moment
	via     lifecycle.Via
	tally   *tally // of the sweep that asked; nil: none did
	// identified says that the project was compared since the answer was there; shared by the rows of one answer, which are
	// shown one after the other. nil: an answer of its own, for which it was not.
	identityChecked *bool
}

// show makes the observation of what an answer showed of a resource, and has it recorded if it is news.
func (r *reporter) report(ctx context.Context, l *list, row mkio.Row, o lifecycle.Observation, req request) error {
	return r.reportAgainst(ctx, l, r.headOf(row.Key), row, o, req)
}

// showBeside is show for a resource whose head was looked up after the answer came.
func (r *reporter) reportAgainst(ctx context.Context, l *list, h head, row mkio.Row, o lifecycle.Observation, req request) error {
	if h.sequence() > req.horizon {
		r.rechecks.outdated(row.Key)
		return nil
	}
	if err := r.identity.refused(); err != nil {
		return err
	}
	if err := r.identity.confirmByLife(ctx, h, o); err != nil {
		return err
	}
	o.Via, o.Basis = req.via, h.expectedSequence()
	o.SeenAfter, o.SeenBefore = r.seenAfter(l, row.Key, h, req.moment), req.moment.To
	o.Stored, o.Clock = req.moment.Stored, req.moment.Clock
	if o.State != lifecycle.StateDeleted && !o.Stored {
		r.deletions.seen(row.Key)
	}
	verdict, current := r.observer.Compare(h.resource, o)
	switch {
	case !current:
		r.rechecks.outdated(row.Key)
		return nil
	case !verdict.News():
		r.noteNoEvent(h, o, verdict, req)
		return nil
	}
	if endsLife(h, o, verdict) {
		if may, err := r.identity.allowsEnd(ctx, req); !may {
			return err
		}
	}
	return r.record(ctx, l, h, row, o, req)
}

// noNews notes an observation that is not recorded.
func (r *reporter) noteNoEvent(h head, o lifecycle.Observation, verdict lifecycle.Verdict, req request) {
	r.metrics.observed(o, verdict)
	switch {
	case verdict.Outcome == lifecycle.Repeat:
		r.motions.seenUnchanged(h, req.moment)
	case h.deleted():
		r.rechecks.addDeferred(o.Key, h.fact.StaysEnded(req.moment.To))
	}
	req.tally.addVerdict(o.Key.Kind, verdict)
}

// record has an observation recorded that is news beside the head.
func (r *reporter) record(ctx context.Context, l *list, h head, row mkio.Row, o lifecycle.Observation, req request) error {
	if o.State == lifecycle.StateDeleted {
		o.Source, o.Subject, _ = mkio.Path(row.Key) // its record says nothing of its end
	} else {
		o.Discovered = h.fact == nil && r.first.existedBefore(row.Key.Kind, o.Created)
		row.AddRecord(&o)
	}
	verdict, err := r.observer.Observe(ctx, o)
	if err != nil {
		return logError{err}
	}
	r.metrics.observed(o, verdict)
	if verdict.Outcome == lifecycle.Late { // somebody else recorded what is there, or more, since it was asked for
		r.rechecks.outdated(row.Key)
	} else {
		req.tally.addVerdict(row.Key.Kind, verdict)
	}
	if verdict.News() && l != nil {
		l.progress.noteChange()
	}
	return nil
}

// seenAfter is the last moment at which MK.IO still showed the recorded state, before an answer; zero where it is not known.
func (r *reporter) seenAfter(l *list, key lifecycle.Key, h head, now mkio.Moment) time.Time {
	last := r.lastSeen(l, key, h)
	if last.After(now.From) {
		return time.Time{} // the clocks are too coarse to tell
	}
	return last
}

// lastShown is seenAfter before it is compared with the time of an answer. A resource whose deletion waits was not on the last
// sweeps of its list, so what it was then is kept.
func (r *reporter) lastSeen(l *list, key lifecycle.Key, h head) time.Time {
	if h.fact == nil {
		return time.Time{}
	}
	if waiting, waits := r.deletions.find(key); waits && waiting.sequence == h.fact.Sequence {
		return waiting.lastSeen
	}
	last := latest(h.fact.SeenBefore, r.motions.lastSeen(h))
	if l == nil {
		return last
	}
	if swept := l.progress.lastSweep(); h.fact.Sequence <= swept.horizon {
		last = latest(last, swept.began)
	}
	return last
}
