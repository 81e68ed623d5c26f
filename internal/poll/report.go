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

// An asked is the circumstances of a request: what was recorded before it, and when MK.IO took its answer.
type asked struct {
	horizon uint64
	moment  mkio.Moment
	via     lifecycle.Via
	tally   *tally // of the sweep that asked; nil: none did
	// identified says that the project was compared since the answer was there; shared by the rows of one answer, which are
	// shown one after the other. nil: an answer of its own, for which it was not.
	identified *bool
}

// show gives the log what an answer showed of a resource.
func (r *reporter) show(ctx context.Context, l *list, row mkio.Row, o lifecycle.Observation, a asked) error {
	return r.showBeside(ctx, l, r.entryOf(row.Key), row, o, a)
}

// showBeside is show for a resource whose entry was looked up since the answer was there.
func (r *reporter) showBeside(ctx context.Context, l *list, e entry, row mkio.Row, o lifecycle.Observation, a asked) error {
	if e.sequence() > a.horizon {
		r.rechecks.overtaken(row.Key)
		return nil
	}
	if err := r.identity.refused(); err != nil {
		return err
	}
	if err := r.identity.recognise(ctx, e, o); err != nil {
		return err
	}
	o.Via, o.Basis = a.via, e.basis()
	o.SeenAfter, o.SeenBefore = r.seenAfter(l, row.Key, e, a.moment), a.moment.To
	o.Stored, o.Clock = a.moment.Stored, a.moment.Clock
	if o.State != lifecycle.StateDeleted && !o.Stored {
		r.patience.shown(row.Key)
	}
	verdict, current := r.observer.Compare(e.resource, o)
	switch {
	case !current:
		r.rechecks.overtaken(row.Key)
		return nil
	case !verdict.News():
		r.noNews(e, o, verdict, a)
		return nil
	}
	if ends(e, o, verdict) {
		if may, err := r.identity.mayEnd(ctx, a); !may {
			return err
		}
	}
	return r.record(ctx, l, e, row, o, a)
}

// noNews notes an observation that is not recorded.
func (r *reporter) noNews(e entry, o lifecycle.Observation, verdict lifecycle.Verdict, a asked) {
	r.metrics.seen(o, verdict)
	switch {
	case verdict.Outcome == lifecycle.Repeat:
		r.motions.stillAsRecorded(e, a.moment)
	case e.deleted():
		r.rechecks.afterItsEnd(o.Key, e.fact.StaysEnded(a.moment.To))
	}
	a.tally.judged(o.Key.Kind, verdict)
}

// record gives the log an observation that is news beside an entry.
func (r *reporter) record(ctx context.Context, l *list, e entry, row mkio.Row, o lifecycle.Observation, a asked) error {
	if o.State == lifecycle.StateDeleted {
		o.Source, o.Subject, _ = mkio.Path(row.Key) // its record says nothing of its end
	} else {
		o.Discovered = e.fact == nil && r.first.before(row.Key.Kind, o.Created)
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
func (r *reporter) seenAfter(l *list, key lifecycle.Key, e entry, now mkio.Moment) time.Time {
	last := r.lastShown(l, key, e)
	if last.After(now.From) {
		return time.Time{} // the clocks are too coarse to tell
	}
	return last
}

// lastShown is seenAfter without an answer to hold it against. What waits was not on the last sweeps of its list.
func (r *reporter) lastShown(l *list, key lifecycle.Key, e entry) time.Time {
	if e.fact == nil {
		return time.Time{}
	}
	if found, waits := r.patience.find(key); waits && found.sequence == e.fact.Sequence {
		return found.shown
	}
	last := later(e.fact.SeenBefore, r.motions.lastShown(e))
	if l == nil {
		return last
	}
	if swept := l.progress.last(); e.fact.Sequence <= swept.horizon {
		last = later(last, swept.at)
	}
	return last
}
