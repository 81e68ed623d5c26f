package status

import (
	"context"
	"time"

	"mkio-bridge/internal/durations"
	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
	"mkio-bridge/internal/lifecycle"
)

// Steps of the rates.
const (
	step  = time.Minute
	steps = 60 // full ones; the last that is returned has only begun
)

// An hour counts the events of the last hour by the minute in which the log stored them. Its counts depend on the log alone:
// it reads what it has not read yet, whenever it began.
type hour struct {
	identity string    // of the log
	next     uint64    // sequence to read next; 0: the first of the hour
	read     time.Time // when it was last advanced
	minutes  map[int64]*minute
}

// A minute counts the events that were stored in one.
type minute struct {
	events   map[lifecycle.Via]int
	lateness durations.Histogram
}

func minuteOf(t time.Time) int64 { return t.Unix() / int64(step/time.Second) }

// advance reads the events up to the end of the log.
func (h *hour) advance(ctx context.Context, log *eventlog.Log, bounds eventlog.Bounds, now time.Time) error {
	oldest := minuteOf(now) - steps
	if h.identity != bounds.Identity || h.next > bounds.Last+1 || now.Sub(h.read) > steps*step {
		*h = hour{identity: bounds.Identity, minutes: map[int64]*minute{}}
	}
	h.read = now
	for m := range h.minutes {
		if m < oldest {
			delete(h.minutes, m)
		}
	}
	if bounds.First > bounds.Last || h.next > bounds.Last {
		return nil
	}
	query := eventlog.Query{From: max(h.next, bounds.First), To: bounds.Last}
	if h.next == 0 {
		query.From, query.Since = 0, time.Unix(oldest*int64(step/time.Second), 0)
	}
	for raw, err := range log.Headers(ctx, query) {
		if err != nil {
			return err
		}
		h.next = raw.Sequence + 1
		if m := minuteOf(raw.Stored); m >= oldest {
			h.add(m, raw)
		}
	}
	h.next = bounds.Last + 1
	return nil
}

// add counts an event.
func (h *hour) add(of int64, raw eventlog.Raw) {
	fact, err := event.FactOf(raw.Header, raw.Sequence)
	if err != nil {
		return // not an event of the bridge
	}
	m := h.minutes[of]
	if m == nil {
		m = &minute{events: map[lifecycle.Via]int{}}
		h.minutes[of] = m
	}
	m.events[fact.Via]++
	// A resource's first event from a poll may be of long ago: a first sweep discovers what exists.
	if !fact.At.IsZero() && (fact.Transition > 1 || fact.Via == lifecycle.Webhook) {
		m.lateness.Add(max(0, raw.Stored.Sub(fact.At)), 1)
	}
}

// rates returns the counts. limit is the lateness from which an event is late.
func (h *hour) rates(now time.Time, limit time.Duration) Rates {
	oldest := minuteOf(now) - steps
	r := Rates{
		Since: time.Unix(oldest*int64(step/time.Second), 0).UTC(), StepSeconds: step.Seconds(),
		Total: map[lifecycle.Via]int{}, ByVia: map[lifecycle.Via][]int{},
	}
	for _, via := range lifecycle.Vias() {
		r.Total[via], r.ByVia[via] = 0, make([]int, steps+1)
	}
	var lateness durations.Histogram
	for of, m := range h.minutes {
		if of < oldest || of > oldest+steps {
			continue
		}
		for _, via := range lifecycle.Vias() {
			r.ByVia[via][of-oldest] = m.events[via]
			r.Total[via] += m.events[via]
		}
		lateness.AddAll(&m.lateness)
	}
	r.Lateness = Lateness{
		Events: lateness.Total(), P50Seconds: seconds(lateness.Quantile(0.5)), P95Seconds: seconds(lateness.Quantile(0.95)),
		LimitSeconds: seconds(limit), Late: lateness.Over(limit),
	}
	return r
}

// seconds returns a duration in seconds, to the millisecond.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
