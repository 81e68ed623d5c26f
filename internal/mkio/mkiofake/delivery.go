package mkiofake

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Statuses in the delivery history, as MK.IO documents them.
const (
	historyPending  = "Pending"
	historyRetrying = "Retrying"
	historyFailed   = "Failed"
	historySent     = "Sent"
)

// A delivery reports one change to one rule.
type delivery struct {
	change        *trackedChange
	rule          *rule
	id            string
	source        string
	created       time.Time
	previousState string // as the delivery claims
	time          time.Time
	record        []byte
	status        string // in the history
	attempts      int
	repeat        bool // a duplicate, not in the history
	willFail      bool // fault: MK.IO gives up
	rng           *rand.Rand
}

// json returns the delivery's row in the history.
func (d *delivery) json() []byte {
	return encode(object{"created": formatTime(d.created), "source": d.source, "status": d.status, "type": d.change.Type})
}

// body returns the delivery's JSON.
func (d *delivery) body() []byte {
	return encode(object{
		"specversion": "1.0", "id": d.id, "type": d.change.Type, "source": d.source,
		"time": formatTime(d.time), "datacontenttype": "application/json",
		"data": object{
			"projectName": d.change.Key.Project, "previousState": d.previousState, "state": d.change.State, "resource": json.RawMessage(d.record),
		},
	})
}

// queueDeliveries queues the deliveries of a change: one for each enabled rule that selects its type.
func (m *MKIO) queueDeliveries(e *trackedChange, v *version) {
	if e.Type == "" {
		return
	}
	p := m.projects[e.Key.Project]
	_, previousState := v.resource.info.webhookType(e.Previous, e.State, !v.processingSince.IsZero())
	for _, name := range slices.Sorted(maps.Keys(p.rules)) {
		r := p.rules[name]
		if r.Disabled || !slices.Contains(r.Events, e.Type) {
			continue
		}
		m.deliveryCount++
		rng := rand.New(rand.NewPCG(m.config.Seed^0xde1, m.deliveryCount))
		lag := upTo(rng, m.faults.Lag)
		at := e.At.Add(lag)
		d := &delivery{
			change: e, rule: r, id: newID(rng), source: v.resource.info.source(e.Key), created: at, previousState: previousState, time: at,
			record: v.singleJSON(p), status: historyPending, rng: rng,
		}
		r.history = append(r.history, d)
		e.pending++
		if rng.Float64() < m.faults.Dropped {
			m.finish(d, historySent, false)
			d.release()
			continue
		}
		d.willFail = rng.Float64() < m.faults.Failed
		due := v.steadySince.Add(lag + upTo(rng, m.faults.Jitter))
		if rng.Float64() < m.faults.Late {
			due = due.Add(upTo(rng, m.faults.LateBy))
		}
		m.tasks.push(task{due: due, delivery: d})
	}
}

// finish records the end of a delivery: its status in the history, and whether the receiver has it.
func (m *MKIO) finish(d *delivery, status string, received bool) {
	d.status = status
	d.change.pending--
	if received {
		d.change.sent++
	} else {
		d.change.lost++
	}
}

// Retries of a failed delivery; all attempts end within ten minutes.
const (
	initialBackoff = 10 * time.Second // doubles with each
	maxAttempts    = 5
	requestTimeout = 30 * time.Second // real
)

// attempt sends a delivery once and schedules what follows.
func (m *MKIO) attempt(ctx context.Context, d *delivery) {
	var r Rule
	var alive bool
	m.locked(func() {
		p := m.projects[d.change.Key.Project]
		r, alive = d.rule.Rule, p.rules[d.rule.name] == d.rule
	})
	ok := alive && !d.willFail && m.post(ctx, r, d.body())
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.tasks.done()
	d.attempts++
	switch {
	case ok && d.repeat:
	case ok:
		m.finish(d, historySent, true)
		m.repeatDelivery(d)
		d.release()
	case ctx.Err() != nil && alive: // cancelled: the next Run sends it
		d.attempts--
		m.tasks.push(task{due: m.clock.steady(), delivery: d})
	case d.attempts < maxAttempts && alive:
		if !d.repeat {
			d.status = historyRetrying
		}
		m.tasks.push(task{due: m.clock.steady().Add(initialBackoff << (d.attempts - 1)), delivery: d})
	case !d.repeat:
		m.finish(d, historyFailed, false)
		d.release()
	}
}

// release frees what the history does not need.
func (d *delivery) release() { d.record, d.rng = nil, nil }

// repeatDelivery sends a successful delivery again, by the Repeat fault: MK.IO does not promise exactly-once delivery.
func (m *MKIO) repeatDelivery(d *delivery) {
	if d.rng.Float64() >= m.faults.Repeat {
		return
	}
	repeated := *d
	repeated.repeat, repeated.attempts = true, 0
	if d.rng.Float64() < m.faults.NewID {
		repeated.id = newID(d.rng)
	}
	m.tasks.push(task{due: m.clock.steady().Add(upTo(d.rng, m.faults.RepeatBy)), delivery: &repeated})
}

// post sends one request; true if the response is a success.
func (m *MKIO) post(ctx context.Context, r Rule, body []byte) bool {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, deliveryURL(r), bytes.NewReader(body))
	if err != nil {
		return false
	}
	request.Header.Set("Content-Type", "application/json")
	for _, headers := range []map[string]string{r.Headers, r.SecretHeaders} {
		for name, value := range headers {
			request.Header.Set(name, value)
		}
	}
	response, err := m.config.Transport.RoundTrip(request) // does not follow redirects
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode/100 == 2
}

// deliveryURL returns a rule's URL with all its query parameters.
func deliveryURL(r Rule) string {
	target, err := url.Parse(r.URL)
	if err != nil {
		return r.URL
	}
	query := target.Query()
	for _, params := range []map[string]string{r.QueryParams, r.SecretQueryParams} {
		for name, value := range params {
			query.Set(name, value)
		}
	}
	target.RawQuery = query.Encode()
	return target.String()
}
