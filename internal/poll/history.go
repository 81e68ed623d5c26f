package poll

import (
	"context"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// pendingFor is how long a delivery may be pending before its resource is looked at, and openFor how long before
// nothing more is expected of it.
const (
	pendingFor = 2 * time.Minute
	openFor    = time.Hour
)

// watchHistory looks for deliveries of the bridge's own rule that did not arrive, and has what they
// were of looked at, until the context ends.
func (p *project) watchHistory(ctx context.Context) {
	h := history{asked: map[pastDelivery]string{}}
	loaded := false
	failures := 0
	for {
		wait := p.pace.sweep
		err := p.identity.refused()
		if err != nil { // it is somebody else's history
			if pause(ctx, wait) != nil {
				return
			}
			continue
		}
		err = p.Log.Trouble() // what is found could not be recorded
		if err == nil && !loaded {
			h.settled, err = p.loadSettled(ctx)
			loaded = err == nil
		}
		if err == nil {
			err = p.readHistory(ctx, &h)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			failures = 0
		default:
			failures++
			p.metrics.failed(p.name, "history", err)
			first := failures == 1 && !mkio.IsNotFound(err) // without a rule there is no history
			p.log.Log(ctx, p.outage.level(err, first), "the delivery history cannot be read; it is tried again", "rule", p.Rule, "error", err, "do", p.advice(err))
			wait = max(wait, retryAfter(failures))
		}
		if pause(ctx, wait) != nil {
			return
		}
	}
}

// A pastDelivery is what tells one row of the history from another: rows have no id.
type pastDelivery struct {
	created     time.Time // zero where it cannot be read
	source, typ string
}

// history is how far the delivery history was read.
type history struct {
	offset  int       // of the page that the next reading begins with: all rows before it are settled
	settled time.Time // rows created before are read no more; it is noted, so that it counts through restarts
	asked   map[pastDelivery]string
	met     map[pastDelivery]bool // rows without a time that this reading met
	reverse bool                  // the newest rows come first

	sent, unsent time.Time // when the newest delivery was made that arrived, and that did not; zero: none was seen
}

// How far back rows are read. What was lost longer ago, the first sweep has shown.
const (
	readBack   = 24 * time.Hour
	rowOverlap = 5 * time.Minute // rows need not appear in the order of their creation
)

// settle moves on what is settled, when all was read at a moment: up to the oldest row that may still change
// (zero: there is none). It says whether rows that were looked up are among that, which is worth noting.
func (h *history) settle(now, oldestOpen time.Time) (looked bool) {
	to := now.Add(-rowOverlap)
	if !oldestOpen.IsZero() && oldestOpen.Before(to) {
		to = later(oldestOpen, now.Add(-readBack))
	}
	h.settled = later(h.settled, to)
	for row := range h.asked {
		switch {
		case row.created.IsZero():
			if !h.met[row] { // nothing else tells that it is settled
				delete(h.asked, row)
			}
		case row.created.Before(h.settled):
			delete(h.asked, row)
			looked = true
		}
	}
	return looked
}

// firstAndLast returns when the first and the last row of a page were created, of those that tell it.
func firstAndLast(rows []mkio.PastDelivery) (first, last time.Time) {
	for _, d := range rows {
		if d.Created.IsZero() {
			continue
		}
		if last = d.Created; first.IsZero() {
			first = d.Created
		}
	}
	return first, last
}

// readHistory reads what is new. Where new rows are appended it goes on at the first page with a row that
// was not settled; where they come first it stops at the rows that are settled.
func (p *project) readHistory(ctx context.Context, h *history) error {
	pages := p.Client.History(p.name, p.Rule, h.offset)
	h.met = map[pastDelivery]bool{}
	shrunk := false
	unsettled := -1
	last := h.offset
	var now, oldestOpen time.Time
	defer func() { p.metrics.delivered(p.name, h.sent, h.unsent) }() // of the rows that were read, also before a page that failed
	for pages.More() {
		page, err := pages.NextDeliveries(ctx, mkio.Changes)
		if err != nil {
			return err
		}
		last = page.Start
		if now.IsZero() && h.offset > 0 && len(page.Deliveries) == 0 {
			shrunk = true // the rule was made anew, or rows have expired
			break
		}
		if now.IsZero() {
			now = page.Moment.From
			if h.settled.After(now) && !page.Moment.Stored {
				h.settled = time.Time{} // MK.IO's clock was set back
			}
			h.settled = later(h.settled, now.Add(-readBack))
		}
		from, until := firstAndLast(page.Deliveries)
		if from.After(until) {
			h.reverse = true
		}
		open := false
		for _, d := range page.Deliveries {
			if p.readDelivery(h, d, page.Moment.From) {
				open = true
				if oldestOpen.IsZero() || d.Created.Before(oldestOpen) {
					oldestOpen = d.Created
				}
			}
		}
		if open && unsettled < 0 {
			unsettled = page.Start
		}
		if h.reverse && !until.IsZero() && until.Before(h.settled) {
			break
		}
	}
	if shrunk {
		h.offset = 0
		return p.readHistory(ctx, h)
	}
	switch {
	case h.reverse:
		h.offset = 0
	case unsettled >= 0:
		h.offset = unsettled
	default:
		h.offset = last
	}
	if h.settle(now, oldestOpen) {
		return p.noteSettled(ctx, h.settled)
	}
	return nil
}

// readDelivery has the resource of a delivery that did not arrive looked at, once, and says whether the row
// may still change.
func (p *project) readDelivery(h *history, d mkio.PastDelivery, now time.Time) (pending bool) {
	switch d.Status {
	case mkio.StatusSent:
		h.sent = later(h.sent, d.Created)
	case mkio.StatusFailed, mkio.StatusRetrying:
		h.unsent = later(h.unsent, d.Created)
	}
	row := pastDelivery{d.Created, d.Source, d.Type}
	if d.Created.IsZero() {
		h.met[row] = true
	} else if d.Created.Before(h.settled) {
		return false
	}
	open := d.Status == mkio.StatusPending || d.Status == mkio.StatusRetrying
	lost := d.Status == mkio.StatusFailed || d.Status == mkio.StatusRetrying || open && now.Sub(d.Created) > pendingFor
	pending = open && now.Sub(d.Created) < openFor
	if !lost || h.asked[row] == d.Status {
		return pending
	}
	first := h.asked[row] == ""
	h.asked[row] = d.Status
	p.metrics.history.WithLabelValues(p.name, d.Status).Inc()
	if key, ok := d.Key(); first && ok && key.Kind != lifecycle.ChannelInstance {
		p.ask(key, lifecycle.History)
	}
	return pending
}
