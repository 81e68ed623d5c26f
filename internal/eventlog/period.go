package eventlog

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
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

// matches reports whether an event has the state, phase and period of the query, as far as subject filters and stream order
// do not ensure it.
func (q Query) matches(r Raw) (bool, error) {
	if !q.matchesState(r) || q.By != ByTime && r.Stored.Before(q.Since) {
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
	return inPeriod && (q.Phase == "" || q.Phase == e.Data.Phase), nil
}

// needsPayload reports whether a match depends on an event's payload.
func (q Query) needsPayload() bool {
	return q.Phase != "" || q.By == ByTime && (!q.Since.IsZero() || !q.Until.IsZero())
}

// matchesState reports whether an event has the state of the query. Subject filters of the state bucket cannot ensure that.
func (q Query) matchesState(r Raw) bool {
	return q.State == "" || r.Subject[strings.LastIndexByte(r.Subject, '.')+1:] == event.StateToken(q.State)
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
