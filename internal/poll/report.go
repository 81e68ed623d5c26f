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
	observer Observer
	identity *identification
	patience *patience
	first    *firstSweeps
	motions  *motions
	rechecks *recheckQueue
}

// A request is what the reporter must know of one request to MK.IO: what was recorded before it, and when MK.IO made the answer.
type request struct {
	horizon uint64 // the log's, before the request
	moment  mkio.Moment
	via     lifecycle.Via
	tally   *tally // of the sweep that asked; nil: none did
	// identified says that the project was compared since the answer was there; shared by the rows of one answer, which are
	// shown one after the other. nil: an answer of its own, for which it was not.
	identified *bool
}

// show makes the observation of what an answer showed of a resource, and has it recorded if it is news.
func (r *reporter) show(ctx context.Context, l *list, row mkio.Row, o lifecycle.Observation, a request) error {
	return r.showBeside(ctx, l, r.headOf(row.Key), row, o, a)
}

// showBeside is show for a resource whose head was looked up after the answer came.
func (r *reporter) showBeside(ctx context.Context, l *list, h head, row mkio.Row, o lifecycle.Observation, a request) error {
	if h.sequence() > a.horizon {
		r.rechecks.overtaken(row.Key)
		return nil
	}
	if err := r.identity.refused(); err != nil {
		return err
	}
	if err := r.identity.recognise(ctx, h, o); err != nil {
		return err
	}
	o.Via, o.Basis = a.via, h.basis()
	o.SeenAfter, o.SeenBefore = r.seenAfter(l, row.Key, h, a.moment), a.moment.To
	o.Stored, o.Clock = a.moment.Stored, a.moment.Clock
	if o.State != lifecycle.StateDeleted && !o.Stored {
		r.patience.shown(row.Key)
	}
	verdict, current := r.observer.Compare(h.resource, o)
	switch {
	case !current:
		r.rechecks.overtaken(row.Key)
		return nil
	case !verdict.News():
		r.noNews(h, o, verdict, a)
		return nil
	}
	if ends(h, o, verdict) {
		if may, err := r.identity.mayEnd(ctx, a); !may {
			return err
		}
	}
	return r.record(ctx, l, h, row, o, a)
}

// noNews notes an observation that is not recorded.
func (r *reporter) noNews(h head, o lifecycle.Observation, verdict lifecycle.Verdict, a request) {
	r.metrics.seen(o, verdict)
	switch {
	case verdict.Outcome == lifecycle.Repeat:
		r.motions.stillAsRecorded(h, a.moment)
	case h.deleted():
		r.rechecks.afterItsEnd(o.Key, h.fact.StaysEnded(a.moment.To))
	}
	a.tally.judged(o.Key.Kind, verdict)
}

// record has an observation recorded that is news beside the head.
func (r *reporter) record(ctx context.Context, l *list, h head, row mkio.Row, o lifecycle.Observation, a request) error {
	if o.State == lifecycle.StateDeleted {
		o.Source, o.Subject, _ = mkio.Path(row.Key) // its record says nothing of its end
	} else {
		o.Discovered = h.fact == nil && r.first.before(row.Key.Kind, o.Created)
		row.AddRecord(&o)
	}
	verdict, err := r.observer.Observe(ctx, o)
	if err != nil {
		return logError{err}
	}
	r.metrics.seen(o, verdict)
	if verdict.Outcome == lifecycle.Late { // somebody else recorded what is there, or more, since it was asked for
		r.rechecks.overtaken(row.Key)
	} else {
		a.tally.judged(row.Key.Kind, verdict)
	}
	if verdict.News() && l != nil {
		l.progress.noteChange()
	}
	return nil
}

// seenAfter is the last moment at which MK.IO still showed the recorded state, before an answer; zero where it is not known.
func (r *reporter) seenAfter(l *list, key lifecycle.Key, h head, now mkio.Moment) time.Time {
	last := r.lastShown(l, key, h)
	if last.After(now.From) {
		return time.Time{} // the clocks are too coarse to tell
	}
	return last
}

// lastShown is seenAfter before it is compared with the time of an answer. A resource whose deletion waits was not on the last
// sweeps of its list, so what it was then is kept.
func (r *reporter) lastShown(l *list, key lifecycle.Key, h head) time.Time {
	if h.fact == nil {
		return time.Time{}
	}
	if found, waits := r.patience.find(key); waits && found.sequence == h.fact.Sequence {
		return found.shown
	}
	last := later(h.fact.SeenBefore, r.motions.lastShown(h))
	if l == nil {
		return last
	}
	if swept := l.progress.last(); h.fact.Sequence <= swept.horizon {
		last = later(last, swept.at)
	}
	return last
}
