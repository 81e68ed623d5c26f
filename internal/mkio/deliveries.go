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

// A PastDelivery is a row of a rule's delivery history. It has no id and no state: it tells what to ask for.
type PastDelivery struct {
	Created time.Time // zero where it cannot be read
	Source  string    // as the delivery gave it
	Status  string
	Type    string

	project string
}

// Key returns the resource that the delivery was of; false where the source names none that is known.
func (d PastDelivery) Key() (lifecycle.Key, bool) {
	key, err := Decoder{}.keyOf(&envelope{source: d.Source, typ: d.Type, project: d.project})
	return key, err == nil
}

// A HistoryPage is a part of a rule's delivery history.
type HistoryPage struct {
	Deliveries []PastDelivery
	Start      int // offset of its first row
	Moment     Moment
}

// History returns a walk through a rule's delivery history from an offset. Its order is not documented.
func (c *Client) History(project, rule string, offset int) *Pages {
	query := url.Values{}
	if offset > 0 {
		query.Set("$skiptoken", strconv.Itoa(offset))
	}
	return c.pages(project, rulePath(project, rule)+"/events", query)
}

// NextDeliveries asks for the next page of a delivery history.
func (p *Pages) NextDeliveries(ctx context.Context, class Class) (HistoryPage, error) {
	start := 0
	if offset, err := strconv.Atoi(p.query.Get("$skiptoken")); err == nil {
		start = offset
	}
	rows, a, err := p.next(ctx, class)
	page := HistoryPage{Start: start, Moment: a.moment}
	for v := range rows.elements() {
		if d, ok := pastDelivery(p.project, v); ok {
			page.Deliveries = append(page.Deliveries, d)
		}
	}
	return page, err
}

// Deliveries reads a rule's whole delivery history, the oldest first. What was read before an error comes along with it.
func (c *Client) Deliveries(ctx context.Context, project, rule string) ([]PastDelivery, error) {
	var all []PastDelivery
	var failed error
	for pages := c.History(project, rule, 0); pages.More() && failed == nil; {
		page, err := pages.NextDeliveries(ctx, Urgent)
		all = append(all, page.Deliveries...)
		if err != nil {
			failed = fmt.Errorf("the delivery history of rule %s in project %s: %w", printable.Name(rule), printable.Name(project), err)
		}
	}
	slices.SortStableFunc(all, func(a, b PastDelivery) int { return a.Created.Compare(b.Created) })
	return all, failed
}

// pastDelivery reads a row, which is of use where it tells its resource.
func pastDelivery(project string, v value) (PastDelivery, bool) {
	o := v.object()
	d := PastDelivery{project: project}
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
