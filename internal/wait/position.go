package wait

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/eventlog"
)

// A Position is where a wait begins: events recorded after a sequence count, or events recorded at or after a time.
type Position struct {
	Sequence uint64
	Time     time.Time // zero: the position is Sequence
}

// ParsePosition parses the sequence of an event, or a time as [eventlog.ParseTime] does.
func ParsePosition(text string) (Position, error) {
	sequence, err := strconv.ParseUint(text, 10, 64)
	if err == nil {
		return Position{Sequence: sequence}, nil
	}
	if errors.Is(err, strconv.ErrRange) {
		return Position{}, fmt.Errorf("%s is larger than any sequence", text)
	}
	at, err := eventlog.ParseTime(text)
	if err != nil {
		return Position{}, fmt.Errorf("%w, nor the sequence of an event such as 4711", err)
	}
	return Position{Time: at}, nil
}

func (p Position) String() string {
	if p.Time.IsZero() {
		return fmt.Sprintf("event %d", p.Sequence)
	}
	return p.Time.UTC().Format(time.RFC3339Nano)
}

// validate rejects a sequence beyond the end of the log: it is of another log, and events would count much later, or never.
func (p Position) validate(ctx context.Context, log *eventlog.Log) error {
	if !p.Time.IsZero() {
		return nil
	}
	info, err := log.Stream(ctx)
	if err != nil {
		return err
	}
	if last := info.State.LastSeq; p.Sequence > last {
		return &PastEndError{Sequence: p.Sequence, Last: last, Stream: info.Config.Name}
	}
	return nil
}

// includes reports whether an event was recorded after the position. The recordedtime of events is in whole milliseconds.
func (p Position) includes(e eventlog.LoggedEvent) bool {
	if p.Time.IsZero() {
		return e.Sequence > p.Sequence
	}
	return !e.Event.RecordedTime.Before(p.Time.Truncate(time.Millisecond))
}

// datedBefore reports whether MK.IO dates an event before the position; false if the position is a sequence. Some of MK.IO's
// times are in whole seconds.
func (p Position) datedBefore(e eventlog.LoggedEvent) bool {
	if e.Event.Data.Evidence.TimeFrom != event.TimeFromMKIO {
		return false
	}
	since := p.Time
	if e.Event.Time().Nanosecond() == 0 {
		since = since.Truncate(time.Second)
	}
	return e.Event.Time().Before(since)
}

// A PastEndError is returned for a sequence beyond the end of the log.
type PastEndError struct {
	Sequence, Last uint64
	Stream         string
}

func (e *PastEndError) Error() string {
	return fmt.Sprintf("%d is past the end of %s, whose last event is %d: give a sequence of this log (0: its beginning), or a time", e.Sequence, e.Stream, e.Last)
}
