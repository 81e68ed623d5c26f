package poll

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/mkio"
)

// pendingLimit is how long a delivery may be pending before its resource is rechecked. openLimit is how long until its row is no
// longer expected to change.
const (
	pendingLimit = 2 * time.Minute
	openLimit    = time.Hour
)

// A historyRow identifies a row of the delivery history: rows have no id.
type historyRow struct {
	created     time.Time // zero where it cannot be parsed
	source, typ string
}

// A deliveryHistory reads the delivery history of the bridge's own rule, and has the resources of deliveries that did not arrive
// rechecked. A row is open while its status may change, and settled after that. All state is owned by the task's goroutine.
type deliveryHistory struct {
	*scope
	rule     string
	notes    jetstream.KeyValue
	rechecks *recheckQueue

	cursorLoaded bool                  // cursor was read from the bucket
	offset       int                   // of the page that the next reading starts with: all rows before it are settled
	cursor       time.Time             // rows that were created before it are settled and skipped; stored in the bucket
	handled      map[historyRow]string // the status with which a lost delivery was last counted
	undated      map[historyRow]bool   // rows without a time that this reading has found
	newestFirst  bool                  // the order of the rows

	counts       *historyCounts
	sent, unsent time.Time // when the newest delivery was created that arrived, and that did not; zero: none
	failed       time.Time // of those that did not, the newest that MK.IO has given up
}

func newDeliveryHistory(s *scope, rule string, notes jetstream.KeyValue, rechecks *recheckQueue) *deliveryHistory {
	return &deliveryHistory{scope: s, rule: rule, notes: notes, rechecks: rechecks, counts: newHistoryCounts(), handled: map[historyRow]string{}}
}

// run is one run of the task: it reads the rows that are new since the last run, which may have been another bridge's.
func (h *deliveryHistory) run(ctx context.Context) error {
	if !h.cursorLoaded {
		cursor, err := h.loadCursor(ctx)
		if err != nil {
			return err
		}
		h.cursor, h.cursorLoaded = cursor, true
	}
	return h.read(ctx)
}

// Limits of a reading. What was lost before the window, a full sweep has found.
const (
	historyWindow = 24 * time.Hour
	rowOverlap    = 5 * time.Minute // rows need not appear in the order of their creation
)

// advanceCursor moves the cursor after a reading, up to the oldest open row (zero: none). It reports whether lost deliveries are
// behind the cursor now: then it must be stored, or a restart would count them again.
func (h *deliveryHistory) advanceCursor(now, oldestOpen time.Time) (removed bool) {
	to := now.Add(-rowOverlap)
	if !oldestOpen.IsZero() && oldestOpen.Before(to) {
		to = latest(oldestOpen, now.Add(-historyWindow))
	}
	h.cursor = latest(h.cursor, to)
	for row := range h.handled {
		switch {
		case row.created.IsZero():
			if !h.undated[row] { // no longer in the history
				delete(h.handled, row)
			}
		case row.created.Before(h.cursor):
			delete(h.handled, row)
			removed = true
		}
	}
	return removed
}

// firstAndLast returns when the first and the last row of a page were created, without the rows that have no time.
func firstAndLast(rows []mkio.HistoryRow) (first, last time.Time) {
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

// A reading is one walk through the pages of the history.
type reading struct {
	now           time.Time // on MK.IO's clock, when it began
	pastEnd       bool      // the history has no rows at the offset
	oldestOpen    time.Time // when the oldest open row was created; zero: there is none
	firstOpenPage int       // offset of the first page with an open row; -1: there is none
	lastPage      int       // offset of the last page with new rows
	complete      time.Time // all rows that were created since then have been read
}

// read reads the new rows. Where MK.IO appends them, the next reading starts at the first page with an open row; where it puts
// them first, a reading stops at the settled rows.
func (h *deliveryHistory) read(ctx context.Context) error {
	defer h.publishNewest() // also where a page fails: of the rows before it
	r, err := h.walk(ctx)
	if err != nil {
		return err
	}
	if r.pastEnd { // the rule was created again, or rows have expired
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
	moved := h.advanceCursor(r.now, r.oldestOpen)
	h.counts.settle(r.complete, h.cursor, r.now)
	if moved {
		return h.storeCursor(ctx)
	}
	return nil
}

// walk reads the pages from the offset on.
func (h *deliveryHistory) walk(ctx context.Context) (reading, error) {
	r := reading{firstOpenPage: -1, lastPage: h.offset}
	h.undated = map[historyRow]bool{}
	for history := h.client.History(h.name, h.rule, h.offset); history.More(); {
		page, err := history.Next(ctx, mkio.Changes)
		if err != nil {
			return r, err
		}
		if len(page.Deliveries) > 0 { // otherwise the history ended with the page before it
			r.lastPage = page.Start
		}
		if r.now.IsZero() {
			if r.pastEnd = h.offset > 0 && len(page.Deliveries) == 0; r.pastEnd {
				return r, nil
			}
			h.begin(&r, page.AsOf)
		}
		if h.readPage(&r, page) {
			_, r.complete = firstAndLast(page.Deliveries) // those behind the page were not read
			break
		}
	}
	return r, nil
}

// publishNewest publishes what the history shows of the newest deliveries.
func (h *deliveryHistory) publishNewest() {
	h.metrics.setNewest(h.name, h.sent, h.unsent)
	h.standing.setDeliveries(event.LeaderDeliveries{Rule: h.rule, Sent: optional(h.sent), Unsent: optional(h.unsent), Failed: optional(h.failed), Day: h.counts.day()})
}

// begin notes when a reading began.
func (h *deliveryHistory) begin(r *reading, at mkio.AsOf) {
	r.now = at.From
	if h.cursor.After(r.now) && !at.Stored {
		h.cursor = time.Time{} // MK.IO's clock was set back
	}
	r.complete = r.now.Add(-historyWindow)
	h.cursor = latest(h.cursor, r.complete)
}

// readPage reads the rows of a page. It reports whether all rows behind the page are settled.
func (h *deliveryHistory) readPage(r *reading, page mkio.HistoryPage) (end bool) {
	from, until := firstAndLast(page.Deliveries)
	if from.After(until) {
		h.newestFirst = true
	}
	for _, d := range page.Deliveries {
		if !h.readRow(d, page.AsOf.From) {
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

// readRow counts a delivery that did not arrive, and has its resource rechecked once. It reports whether the row is open.
func (h *deliveryHistory) readRow(d mkio.HistoryRow, now time.Time) (open bool) {
	switch d.Status {
	case mkio.StatusSent:
		h.sent = latest(h.sent, d.Created)
	case mkio.StatusFailed:
		h.unsent, h.failed = latest(h.unsent, d.Created), latest(h.failed, d.Created)
	case mkio.StatusRetrying:
		h.unsent = latest(h.unsent, d.Created)
	}
	h.counts.add(d, now)
	row := historyRow{d.Created, d.Source, d.Type}
	if d.Created.IsZero() {
		h.undated[row] = true
	} else if d.Created.Before(h.cursor) {
		return false
	}
	pending := d.Status == mkio.StatusPending || d.Status == mkio.StatusRetrying
	lost := d.Status == mkio.StatusFailed || d.Status == mkio.StatusRetrying || pending && now.Sub(d.Created) > pendingLimit
	open = pending && now.Sub(d.Created) < openLimit
	if !lost || h.handled[row] == d.Status {
		return open
	}
	first := h.handled[row] == ""
	h.handled[row] = d.Status
	h.metrics.history.WithLabelValues(h.name, d.Status).Inc()
	if key, ok := d.Key(); first && ok && key.Kind != lifecycle.ChannelInstance {
		h.rechecks.add(key, lifecycle.History)
	}
	return open
}
