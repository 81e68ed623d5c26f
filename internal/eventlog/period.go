package eventlog

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// A By selects the time of an event that a period is compared with.
type By string

// The times of an event.
const (
	ByRecorded By = "recorded" // when the log stored it; the log is in this order
	ByTime     By = "time"     // the event's time: MK.IO's time of the change, or else the time of the observation
)

// Bys returns both values, the default first.
func Bys() []By { return []By{ByRecorded, ByTime} }

// pastEnd reports whether an event, and so every further one, is behind the end of the query. Times of changes are not
// ordered.
func (q Query) pastEnd(r Raw) bool {
	return q.By != ByTime && !q.Until.IsZero() && !r.Stored.Before(q.Until) || q.To > 0 && r.Sequence > q.To
}

// matches reports whether an event has the state, phase, source and period of the query, as far as subject filters and stream order
// do not ensure it.
func (q Query) matches(r Raw) (bool, error) {
	if !q.matchesState(r) || !q.matchesVia(r) || q.By != ByTime && r.Stored.Before(q.Since) {
		return false, nil
	}
	if !q.needsPayload() {
		return true, nil
	}
	var e struct {
		Time time.Time                       `json:"time"`
		Data struct{ Phase lifecycle.Phase } `json:"data"`
	}
	if err := json.Unmarshal(r.Payload, &e); err != nil {
		return false, fmt.Errorf("decode event: %w", err)
	}
	inPeriod := q.By != ByTime || !e.Time.Before(q.Since) && (q.Until.IsZero() || e.Time.Before(q.Until))
	return inPeriod && (len(q.Phases) == 0 || slices.Contains(q.Phases, e.Data.Phase)), nil
}

// needsPayload reports whether a match depends on an event's payload.
func (q Query) needsPayload() bool {
	return len(q.Phases) > 0 || q.By == ByTime && (!q.Since.IsZero() || !q.Until.IsZero())
}

// compares reports whether the server may send events that do not match.
func (q Query) compares() bool { return q.needsPayload() || len(q.States) > 1 || len(q.Vias) > 0 }

// matchesState reports whether an event has a state of the query. Subject filters ensure a single state only.
func (q Query) matchesState(r Raw) bool {
	if len(q.States) == 0 {
		return true
	}
	token := r.Subject[strings.LastIndexByte(r.Subject, '.')+1:]
	return slices.ContainsFunc(q.States, func(state string) bool { return event.StateToken(state) == token })
}

// matchesVia reports whether an event has a source of the query.
func (q Query) matchesVia(r Raw) bool {
	return len(q.Vias) == 0 || slices.Contains(q.Vias, event.ViaOf(r.Header))
}

// followUntil follows to the end of a period. Then it reads the events that were stored within the period and not yet
// delivered, because a reader may be behind.
func (l *Log) followUntil(ctx context.Context, q Query) iter.Seq2[Raw, error] {
	return func(yield func(Raw, error) bool) {
		following, cancel := context.WithDeadline(ctx, q.Until)
		defer cancel()
		if following.Err() == nil {
			for r, err := range l.raw(following, q, false) {
				if !yield(r, err) || err != nil {
					return
				}
				q.From = r.Sequence + 1
			}
		}
		if ctx.Err() != nil {
			return
		}
		q.Follow = false
		for r, err := range l.raw(ctx, q, false) {
			if !yield(r, err) {
				return
			}
		}
	}
}
