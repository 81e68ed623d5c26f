package poll

import (
	"context"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// A reporter makes observations of MK.IO's responses, and passes to the Observer those that may become events. It has no
// state.
type reporter struct {
	*scope
	observer  Observer
	identity  *identityCheck
	deletions *waitingDeletions
	first     *firstSweeps
	motions   *motions
	rechecks  *recheckQueue
	states    *stateRequests
}

// A request is what the reporter needs to know about one request to MK.IO.
type request struct {
	horizon uint64    // of the log, before the request was sent
	sent    time.Time // on the local clock
	asOf    mkio.AsOf // when MK.IO made the response
	via     lifecycle.Via
	tally   *tally // of the full sweep; nil for other polls
	// identityChecked is true once the identity of the project was checked after the response. The rows of a page, which are
	// reported one after the other, share it. nil: the response is of one resource, and nothing was checked.
	identityChecked *bool
}

// newRequest returns a request that is about to be sent.
func (s *scope) newRequest(via lifecycle.Via, t *tally) request {
	return request{horizon: s.eventLog.Horizon(), sent: time.Now(), via: via, tally: t}
}

// report makes an observation of what a response shows of a resource, and records it if it is news.
func (r *reporter) report(ctx context.Context, l *list, row mkio.Row, o lifecycle.Observation, req request) error {
	return r.reportAgainst(ctx, l, r.headOf(row.Key), row, o, req)
}

// reportAgainst is report for a resource whose head was looked up after the response arrived.
func (r *reporter) reportAgainst(ctx context.Context, l *list, h head, row mkio.Row, o lifecycle.Observation, req request) error {
	o, news, err := r.compare(ctx, l, h, row, o, req)
	if err != nil || !news {
		return err
	}
	return r.record(ctx, l, h, row, o, req)
}

// compare compares an observation with the head of its resource, and completes it. news says that it must be recorded.
func (r *reporter) compare(ctx context.Context, l *list, h head, row mkio.Row, o lifecycle.Observation, req request) (_ lifecycle.Observation, news bool, err error) {
	o.Stored, o.Clock = req.asOf.Stored, req.asOf.Clock
	r.expectOutputs(row, o.State, h, req)
	if h.sequence() > req.horizon && !h.fact.Matches(o) {
		r.recheckOvertaken(l, row.Key, h)
		return o, false, nil
	}
	if err := r.identity.refused(); err != nil {
		return o, false, err
	}
	if err := r.identity.confirmByLife(ctx, h, o); err != nil {
		return o, false, err
	}
	o.Via, o.Basis = req.via, h.expectedSequence()
	o.SeenAfter, o.SeenBefore = r.seenAfter(l, row.Key, h, req.asOf), req.asOf.To
	if o.State != lifecycle.StateDeleted && !o.Stored {
		r.deletions.seen(row.Key)
	}
	verdict, current := r.observer.Compare(h.resource, o)
	switch {
	case !current && verdict.Outcome == lifecycle.Late:
		r.recheckOvertaken(l, row.Key, r.headOf(row.Key))
		return o, false, nil
	case !verdict.News():
		r.noteNoEvent(h, o, verdict, req)
		r.reportProgress(row, h, o, req)
		return o, false, nil
	}
	if endsLife(h, o, verdict) {
		if may, err := r.identity.allowsEnd(ctx, req); !may {
			return o, false, err
		}
	}
	return o, true, nil
}

// expectOutputsFor is how long after the end of a job its output assets are expected to become ready: a row of a job that ended
// before that is not read for them.
const expectOutputsFor = 10 * time.Minute

// expectOutputs has the output assets of a job that has just finished polled every Active again, and those of a job in motion not
// before it ends: MK.IO sends no webhook for them, and may not modify their records. A job in motion must be recorded as such too:
// a response that lags behind its end would otherwise postpone the assets when they are about to become ready.
func (r *reporter) expectOutputs(row mkio.Row, state string, h head, req request) {
	moving := lifecycle.InMotion(lifecycle.Job, state, "") && h.fact != nil && lifecycle.InMotion(lifecycle.Job, h.fact.State, "")
	finished := lifecycle.PhaseOf(lifecycle.Job, state, "") == lifecycle.Succeeded && req.asOf.To.Sub(row.Modified) <= expectOutputsFor
	if row.Key.Kind != lifecycle.Job || !moving && !finished {
		return
	}
	for _, asset := range row.OutputAssets() {
		if token, now := r.heads.Token(asset), time.Now(); moving {
			r.motions.postpone(token, now)
		} else {
			r.motions.restart(token, row.Modified, now)
		}
	}
}

// noteNoEvent notes an observation that becomes no event.
func (r *reporter) noteNoEvent(h head, o lifecycle.Observation, verdict lifecycle.Verdict, req request) {
	r.metrics.observed(o, verdict)
	if !o.Stored {
		r.rechecks.answered(o.Key, req.sent)
	}
	switch {
	case verdict.Outcome == lifecycle.Repeat:
		r.motions.seenUnchanged(h, req.asOf)
	case h.deleted():
		r.rechecks.addDeferred(o.Key, h.fact.StaysEnded(req.asOf.To))
	}
	req.tally.addVerdict(o.Key.Kind, verdict)
}

// record records an observation that Compare called news.
func (r *reporter) record(ctx context.Context, l *list, h head, row mkio.Row, o lifecycle.Observation, req request) error {
	if o.State == lifecycle.StateDeleted {
		o.Source, o.Subject, _ = mkio.Path(row.Key) // a deletion has no record to take them from
	} else {
		o.Discovered = h.fact == nil && r.first.existedBefore(row.Key.Kind, o.Created)
		r.withReason(ctx, row).AddRecord(&o)
	}
	o.Via = r.rechecks.via(o.Key, o.Via, req.sent)
	verdict, err := r.observer.Observe(ctx, o)
	if err != nil {
		return logError{err}
	}
	r.metrics.observed(o, verdict)
	if verdict.Outcome == lifecycle.Late { // another writer recorded another state since the request
		r.recheckOvertaken(l, row.Key, r.headOf(row.Key))
	} else {
		req.tally.addVerdict(row.Key.Kind, verdict)
		r.rechecks.answered(row.Key, req.sent)
	}
	if verdict.News() && l != nil {
		l.progress.noteChange()
	}
	return nil
}

// recheckOvertaken has a resource rechecked whose response cannot be used, because an event that the response does not show was
// recorded during the request. The active poll rechecks a resource in motion anyway.
func (r *reporter) recheckOvertaken(l *list, key lifecycle.Key, h head) {
	if l != nil && h.fact != nil && lifecycle.InMotion(key.Kind, h.fact.State, h.fact.Provisioning) && !openEnded(key.Kind, h.fact.State) {
		return
	}
	r.rechecks.outdated(key)
}

// withReason returns the row, or for a resource of the Live API whose failure is news, and whose row does not say why, its
// detailed record. Without that the event has no errors.
func (r *reporter) withReason(ctx context.Context, row mkio.Row) mkio.Row {
	if !row.LacksReason() {
		return row
	}
	detailed, err := r.client.GetDetailed(ctx, mkio.Urgent, row.Key)
	switch {
	case err != nil:
		r.log.Debug("detailed status cannot be read; the event has no errors", "resource", r.heads.Token(row.Key), "error", err)
	case detailed.Life == row.Life && lifecycle.SameState(detailed.State, row.State):
		return detailed.Row
	}
	return row
}

// seenAfter returns when MK.IO last showed the recorded state, before the response; zero where that is not known.
func (r *reporter) seenAfter(l *list, key lifecycle.Key, h head, now mkio.AsOf) time.Time {
	last := r.lastSeen(l, key, h)
	if last.After(now.From) {
		return time.Time{} // times with one-second resolution do not order them
	}
	return last
}

// lastSeen is seenAfter without the comparison with the response's time. A resource whose deletion waits was missing from
// the last sweeps of its list, so its time is the one noted when it was first missing.
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
