package mkio

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/printable"
)

// The statuses of a delivery in the history.
const (
	StatusPending  = "Pending"
	StatusRetrying = "Retrying"
	StatusFailed   = "Failed"
	StatusSent     = "Sent"
)

// A HistoryRow is a row of a rule's delivery history. It has neither id nor state, only the resource to recheck.
type HistoryRow struct {
	Created time.Time // zero where it cannot be read
	Source  string    // as in the delivery
	Status  string
	Type    string

	project string
}

// Key returns the resource of the delivery; false if its source names no known resource.
func (d HistoryRow) Key() (lifecycle.Key, bool) {
	key, err := Decoder{}.keyOf(&envelope{source: d.Source, typeName: d.Type, project: d.project})
	return key, err == nil
}

// A HistoryPage is one page of a rule's delivery history.
type HistoryPage struct {
	Deliveries []HistoryRow
	Start      int // offset of its first row
	AsOf       AsOf
}

// A History walks through the pages of a rule's delivery history. MK.IO documents a link to the next page and no parameters, so
// $skiptoken may be ignored: a page that has only rows of earlier pages ends the history, and no row is returned twice.
type History struct {
	pages   *Pages
	earlier map[historyRowID]bool // the rows of the pages so far
}

// A historyRowID identifies a row, which has no id of its own. Its status may change while the pages are read.
type historyRowID struct {
	created     time.Time
	source, typ string
}

func (d HistoryRow) id() historyRowID { return historyRowID{d.Created, d.Source, d.Type} }

// History returns a rule's delivery history from an offset. The order of its rows is not documented.
func (c *Client) History(project, rule string, offset int) *History {
	query := url.Values{}
	if offset > 0 {
		query.Set("$skiptoken", strconv.Itoa(offset))
	}
	return &History{pages: c.pages(project, rulePath(project, rule)+"/events", query), earlier: map[historyRowID]bool{}}
}

// More reports whether there is another page.
func (h *History) More() bool { return h.pages.More() }

// Next reads the next page.
func (h *History) Next(ctx context.Context, class Class) (HistoryPage, error) {
	p := h.pages
	start := 0
	if offset, err := strconv.Atoi(p.query.Get("$skiptoken")); err == nil {
		start = offset
	}
	rows, a, err := p.next(ctx, class)
	page := HistoryPage{Start: start, AsOf: a.asOf}
	for v := range rows.elements() {
		if d, ok := pastDelivery(p.project, v); ok && !h.earlier[d.id()] {
			page.Deliveries = append(page.Deliveries, d)
		}
	}
	if len(page.Deliveries) == 0 && len(h.earlier) > 0 && err == nil {
		p.end()
	}
	for _, d := range page.Deliveries {
		h.earlier[d.id()] = true
	}
	return page, err
}

// Deliveries reads a rule's whole delivery history, oldest first. Rows read before an error are returned with it.
func (c *Client) Deliveries(ctx context.Context, project, rule string) ([]HistoryRow, error) {
	var all []HistoryRow
	var failed error
	for history := c.History(project, rule, 0); history.More() && failed == nil; {
		page, err := history.Next(ctx, Urgent)
		all = append(all, page.Deliveries...)
		if err != nil {
			failed = fmt.Errorf("read the delivery history of rule %s in project %s: %w", printable.Name(rule), printable.Name(project), err)
		}
	}
	slices.SortStableFunc(all, func(a, b HistoryRow) int { return a.Created.Compare(b.Created) })
	return all, failed
}

// pastDelivery reads a row; false if it has no source.
func pastDelivery(project string, v value) (HistoryRow, bool) {
	o := v.object()
	d := HistoryRow{project: project}
	created, _ := o.text("created")
	d.Created, _ = parseTime(created)
	d.Source, _ = o.text("source")
	d.Status, _ = o.text("status")
	d.Type, _ = o.text("type")
	return d, d.Source != ""
}

func rulePath(project, rule string) string {
	return rulesPath(project) + "/" + url.PathEscape(rule)
}
