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

// History returns the pages of a rule's delivery history from an offset. Their order is not documented.
func (c *Client) History(project, rule string, offset int) *Pages {
	query := url.Values{}
	if offset > 0 {
		query.Set("$skiptoken", strconv.Itoa(offset))
	}
	return c.pages(project, rulePath(project, rule)+"/events", query)
}

// NextDeliveries reads the next page of a delivery history.
func (p *Pages) NextDeliveries(ctx context.Context, class Class) (HistoryPage, error) {
	start := 0
	if offset, err := strconv.Atoi(p.query.Get("$skiptoken")); err == nil {
		start = offset
	}
	rows, a, err := p.next(ctx, class)
	page := HistoryPage{Start: start, AsOf: a.asOf}
	for v := range rows.elements() {
		if d, ok := pastDelivery(p.project, v); ok {
			page.Deliveries = append(page.Deliveries, d)
		}
	}
	return page, err
}

// Deliveries reads a rule's whole delivery history, oldest first. Rows read before an error are returned with it.
func (c *Client) Deliveries(ctx context.Context, project, rule string) ([]HistoryRow, error) {
	var all []HistoryRow
	var failed error
	for pages := c.History(project, rule, 0); pages.More() && failed == nil; {
		page, err := pages.NextDeliveries(ctx, Urgent)
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
