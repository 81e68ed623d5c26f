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

// The statuses of the history, as MK.IO documents them.
const (
	historyPending  = "Pending"
	historyRetrying = "Retrying"
	historyFailed   = "Failed"
	historySent     = "Sent"
)

// A delivery tells one change to one rule.
type delivery struct {
	entry   *entry
	rule    *rule
	id      string
	source  string
	created time.Time
	claimed string // the state before
	time    time.Time
	record  []byte
	status  string // in the history
	tries   int
	repeat  bool // it was sent before: the history does not know
	doomed  bool // MK.IO will give up
	rng     *rand.Rand
}

// json is a delivery's row in the history.
func (d *delivery) json() []byte {
	return encode(object{"created": written(d.created), "source": d.source, "status": d.status, "type": d.entry.Type})
}

// body is what is posted.
func (d *delivery) body() []byte {
	return encode(object{
		"specversion": "1.0", "id": d.id, "type": d.entry.Type, "source": d.source,
		"time": written(d.time), "datacontenttype": "application/json",
		"data": object{
			"projectName": d.entry.Key.Project, "previousState": d.claimed, "state": d.entry.State, "resource": json.RawMessage(d.record),
		},
	})
}

// tell prepares the deliveries of a change: one for each rule that asks for it now.
func (m *MKIO) tell(e *entry, v *version) {
	if e.Type == "" {
		return
	}
	p := m.projects[e.Key.Project]
	_, claimed := v.of.place.told(e.Previous, e.State, !v.began.IsZero())
	for _, name := range slices.Sorted(maps.Keys(p.rules)) {
		r := p.rules[name]
		if r.Disabled || !slices.Contains(r.Events, e.Type) {
			continue
		}
		m.told++
		rng := rand.New(rand.NewPCG(m.config.Seed^0xde1, m.told))
		lag := upTo(rng, m.faults.Lag)
		at := e.At.Add(lag)
		d := &delivery{
			entry: e, rule: r, id: newID(rng), source: v.of.place.source(e.Key), created: at, claimed: claimed, time: at,
			record: v.single(p), status: historyPending, rng: rng,
		}
		r.history = append(r.history, d)
		e.pending++
		if rng.Float64() < m.faults.Silent {
			m.finish(d, historySent, false)
			d.forget()
			continue
		}
		d.doomed = rng.Float64() < m.faults.Failed
		due := v.from.Add(lag + upTo(rng, m.faults.Jitter))
		if rng.Float64() < m.faults.Late {
			due = due.Add(upTo(rng, m.faults.LateBy))
		}
		m.agenda.push(task{due: due, delivery: d})
	}
}

// finish ends a delivery: what the history says, and whether the receiver has it.
func (m *MKIO) finish(d *delivery, status string, received bool) {
	d.status = status
	d.entry.pending--
	if received {
		d.entry.sent++
	} else {
		d.entry.lost++
	}
}

// How a delivery that failed is tried again; all tries are over within ten minutes.
const (
	firstPause  = 10 * time.Second // it doubles
	maxTries    = 5
	requestTime = 30 * time.Second // of ours
)

// attempt makes one try of a delivery and says what follows.
func (m *MKIO) attempt(ctx context.Context, d *delivery) {
	var r Rule
	var alive bool
	m.locked(func() {
		p := m.projects[d.entry.Key.Project]
		r, alive = d.rule.Rule, p.rules[d.rule.name] == d.rule
	})
	ok := alive && !d.doomed && m.post(ctx, r, d.body())
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.agenda.done()
	d.tries++
	switch {
	case ok && d.repeat:
	case ok:
		m.finish(d, historySent, true)
		m.sendAgain(d)
		d.forget()
	case ctx.Err() != nil && alive: // the next Run tries anew
		d.tries--
		m.agenda.push(task{due: m.clock.steady(), delivery: d})
	case d.tries < maxTries && alive:
		if !d.repeat {
			d.status = historyRetrying
		}
		m.agenda.push(task{due: m.clock.steady().Add(firstPause << (d.tries - 1)), delivery: d})
	case !d.repeat:
		m.finish(d, historyFailed, false)
		d.forget()
	}
}

// forget lets go of what is not sent any more; the history does without.
func (d *delivery) forget() { d.record, d.rng = nil, nil }

// sendAgain repeats a delivery that succeeded, for MK.IO does not promise to tell once.
func (m *MKIO) sendAgain(d *delivery) {
	if d.rng.Float64() >= m.faults.Repeat {
		return
	}
	again := *d
	again.repeat, again.tries = true, 0
	if d.rng.Float64() < m.faults.NewID {
		again.id = newID(d.rng)
	}
	m.agenda.push(task{due: m.clock.steady().Add(upTo(d.rng, m.faults.RepeatBy)), delivery: &again})
}

// post makes one request; true when it was answered with success.
func (m *MKIO) post(ctx context.Context, r Rule, body []byte) bool {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, withParams(r), bytes.NewReader(body))
	if err != nil {
		return false
	}
	request.Header.Set("Content-Type", "application/json")
	for _, headers := range []map[string]string{r.Headers, r.SecretHeaders} {
		for name, value := range headers {
			request.Header.Set(name, value)
		}
	}
	response, err := m.config.Transport.RoundTrip(request) // redirects are no success
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode/100 == 2
}

// withParams is a rule's address with all its query parameters.
func withParams(r Rule) string {
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
