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

// A By says which time of an event a period is compared with.
type By string

// The times of an event.
const (
	ByRecorded By = "recorded" // when the log stored it; the log is in this order
	ByTime     By = "time"     // its time: of the change, as MK.IO gave it, or else of the observation
)

// Bys returns both, the default first.
func Bys() []By { return []By{ByRecorded, ByTime} }

// over says whether an event, and so all that follow, comes after what is asked for. Times of the changes are in no order.
func (q Query) over(r Raw) bool {
	return q.By != ByTime && !q.Until.IsZero() && !r.Stored.Before(q.Until) || q.To > 0 && r.Sequence > q.To
}

// chooses says whether an event is of the state, phase and period that are asked for, as far as the subjects and the order
// of the stream do not tell.
func (q Query) chooses(r Raw) (bool, error) {
	if !q.inState(r) || q.By != ByTime && r.Stored.Before(q.Since) {
		return false, nil
	}
	if !q.inPayload() {
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

// inPayload says whether only an event's payload tells if it is chosen.
func (q Query) inPayload() bool {
	return q.Phase != "" || q.By == ByTime && (!q.Since.IsZero() || !q.Until.IsZero())
}

// inState says whether an event is of the state that is asked for: the subjects of the state bucket do not tell.
func (q Query) inState(r Raw) bool {
	return q.State == "" || r.Subject[strings.LastIndexByte(r.Subject, '.')+1:] == event.StateToken(q.State)
}

// followUntil follows to the end of a period. What was stored within it and has not been delivered by then is read
// afterwards: a reader may be behind.
func (l *Log) followUntil(ctx context.Context, q Query) iter.Seq2[Raw, error] {
	return func(yield func(Raw, error) bool) {
		following, cancel := context.WithDeadline(ctx, q.Until)
		defer cancel()
		if following.Err() == nil {
			for r, err := range l.raw(following, q) {
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
		for r, err := range l.raw(ctx, q) {
			if !yield(r, err) {
				return
			}
		}
	}
}
