package poll

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// pendingFor is how long a delivery may be pending before its resource is looked at, and openFor how long before
// nothing more is expected of it.
const (
	pendingLimit = 2 * time.Minute
	openLimit    = time.Hour
)

// A pastDelivery identifies a row of the history: rows have no id.
type historyRow struct {
	created     time.Time // zero where it cannot be read
	source, typ string
}

// A deliveryHistory looks for deliveries of the bridge's own rule that did not arrive, and has what they were of asked for
// again. It remembers how far it has read. All of its state belongs to the goroutine of its chore.
type deliveryHistory struct {
	*scope
	rule     string
	notes    jetstream.KeyValue
	rechecks *recheckQueue

	cursorLoaded bool                  // what was settled is known
	offset       int                   // of the page that the next reading begins with: all rows before it are settled
	cursor       time.Time             // rows created before are read no more; it is noted, so that it counts through restarts
	handled      map[historyRow]string // the status of each row when it was last looked up
	undated      map[historyRow]bool   // rows without a time that this reading met
	newestFirst  bool                  // the newest rows come first

	sent, unsent time.Time // when the newest delivery was made that arrived, and that did not; zero: none was seen
}

func newDeliveryHistory(s *scope, rule string, notes jetstream.KeyValue, rechecks *recheckQueue) *deliveryHistory {
	return &deliveryHistory{scope: s, rule: rule, notes: notes, rechecks: rechecks, handled: map[historyRow]string{}}
}

// look is one run of the chore: it reads what is new, from where the last run, or the bridge before a restart, ended.
func (h *deliveryHistory) run(ctx context.Context) error {
	if !h.cursorLoaded {
		settled, err := h.loadCursor(ctx)
		if err != nil {
			return err
		}
		h.cursor, h.cursorLoaded = settled, true
	}
	return h.read(ctx)
}

// How far back rows are read. What was lost longer ago, the first sweep has shown.
const (
	historyWindow = 24 * time.Hour
	rowOverlap    = 5 * time.Minute // rows need not appear in the order of their creation
)

// settle moves settled forward after a reading: up to the oldest row that may still change (zero: there is none). It says
// whether rows that were looked up are settled now, which is worth noting in the bucket.
func (h *deliveryHistory) advanceCursor(now, oldestOpen time.Time) (removed bool) {
	to := now.Add(-rowOverlap)
	if !oldestOpen.IsZero() && oldestOpen.Before(to) {
		to = latest(oldestOpen, now.Add(-historyWindow))
	}
	h.cursor = latest(h.cursor, to)
	for row := range h.handled {
		switch {
		case row.created.IsZero():
			if !h.undated[row] { // nothing else tells that it is settled
				delete(h.handled, row)
			}
		case row.created.Before(h.cursor):
			delete(h.handled, row)
			removed = true
		}
	}
	return removed
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

// A reading is one walk through the history.
type reading struct {
	now           time.Time // on MK.IO's clock, when it began
	pastEnd       bool      // there was nothing at the offset
	oldestOpen    time.Time // when the oldest row was created that may still change; zero: there is none
	firstOpenPage int       // offset of the first page with such a row; -1: there is none
	lastPage      int       // offset of the last page
}

// read reads what is new. Where new rows are appended it goes on at the first page with a row that
// was not settled; where they come first it stops at the rows that are settled.
func (h *deliveryHistory) read(ctx context.Context) error {
	r, err := h.walk(ctx)
	if err != nil {
		return err
	}
	if r.pastEnd { // the rule was made anew, or rows have expired
		h.offset = 0
		if r, err = h.walk(ctx); err != nil {
			return err
		}
	}
	switch {
	case h.newestFirst:
		h.offset = 0
	case r.firstOpenPage >= 0:
		h.offset = r.firstOpenPage
	default:
		h.offset = r.lastPage
	}
	if h.advanceCursor(r.now, r.oldestOpen) {
		return h.storeCursor(ctx)
	}
	return nil
}

// walk reads the pages from the offset on.
func (h *deliveryHistory) walk(ctx context.Context) (reading, error) {
	r := reading{firstOpenPage: -1, lastPage: h.offset}
	h.undated = map[historyRow]bool{}
	defer func() { h.metrics.setNewest(h.name, h.sent, h.unsent) }() // of the rows that were read, also before a page that failed
	for pages := h.client.History(h.name, h.rule, h.offset); pages.More(); {
		page, err := pages.NextDeliveries(ctx, mkio.Changes)
		if err != nil {
			return r, err
		}
		r.lastPage = page.Start
		if r.now.IsZero() {
			if r.pastEnd = h.offset > 0 && len(page.Deliveries) == 0; r.pastEnd {
				return r, nil
			}
			h.begin(&r, page.Moment)
		}
		if h.readPage(&r, page) {
			break
		}
	}
	return r, nil
}

// begin notes when a reading began.
func (h *deliveryHistory) begin(r *reading, at mkio.Moment) {
	r.now = at.From
	if h.cursor.After(r.now) && !at.Stored {
		h.cursor = time.Time{} // MK.IO's clock was set back
	}
	h.cursor = latest(h.cursor, r.now.Add(-historyWindow))
}

// readPage reads the rows of a page, and says whether all behind them is settled.
func (h *deliveryHistory) readPage(r *reading, page mkio.HistoryPage) (end bool) {
	from, until := firstAndLast(page.Deliveries)
	if from.After(until) {
		h.newestFirst = true
	}
	for _, d := range page.Deliveries {
		if !h.readRow(d, page.Moment.From) {
			continue
		}
		if r.oldestOpen.IsZero() || d.Created.Before(r.oldestOpen) {
			r.oldestOpen = d.Created
		}
		if r.firstOpenPage < 0 {
			r.firstOpenPage = page.Start
		}
	}
	return h.newestFirst && !until.IsZero() && until.Before(h.cursor)
}

// readRow has the resource of a delivery that did not arrive rechecked, once, and says whether the row may still change.
func (h *deliveryHistory) readRow(d mkio.PastDelivery, now time.Time) (pending bool) {
	switch d.Status {
	case mkio.StatusSent:
		h.sent = latest(h.sent, d.Created)
	case mkio.StatusFailed, mkio.StatusRetrying:
		h.unsent = latest(h.unsent, d.Created)
	}
	row := historyRow{d.Created, d.Source, d.Type}
	if d.Created.IsZero() {
		h.undated[row] = true
	} else if d.Created.Before(h.cursor) {
		return false
	}
	open := d.Status == mkio.StatusPending || d.Status == mkio.StatusRetrying
	lost := d.Status == mkio.StatusFailed || d.Status == mkio.StatusRetrying || open && now.Sub(d.Created) > pendingLimit
	pending = open && now.Sub(d.Created) < openLimit
	if !lost || h.handled[row] == d.Status {
		return pending
	}
	first := h.handled[row] == ""
	h.handled[row] = d.Status
	h.metrics.history.WithLabelValues(h.name, d.Status).Inc()
	if key, ok := d.Key(); first && ok && key.Kind != lifecycle.ChannelInstance {
		h.rechecks.add(key, lifecycle.History)
	}
	return pending
}
