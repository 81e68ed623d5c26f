package eventlog

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
)

// Bounds are the first and last sequence of the log, and its identity.
type Bounds struct {
	Stream   string
	Identity string // of the log; a recreated log has another
	First    uint64 // Last + 1 while the log is empty
	Last     uint64 // 0 for a log that never had an event
}

// Bounds returns the current bounds of the log.
func (l *Log) Bounds(ctx context.Context) (Bounds, error) {
	info, err := l.Stream(ctx)
	if err != nil {
		return Bounds{}, err
	}
	return BoundsOf(info), nil
}

// BoundsOf returns the bounds of the log with the given info.
func BoundsOf(info *jetstream.StreamInfo) Bounds {
	return Bounds{
		Stream:   info.Config.Name,
		Identity: event.LogIdentity(info.Created),
		First:    max(info.State.FirstSeq, 1),
		Last:     info.State.LastSeq,
	}
}

// CheckFrom returns an [*OutsideError] if a reader that begins at a sequence would miss events: the event there is no longer
// in the log, or the log does not reach there yet. The sequence after the last one is inside.
func (b Bounds) CheckFrom(sequence uint64) error {
	if sequence < b.First || sequence > b.Last+1 {
		return &OutsideError{Sequence: sequence, Bounds: b}
	}
	return nil
}

// CheckAfter is [Bounds.CheckFrom] for a reader that has read up to a sequence.
func (b Bounds) CheckAfter(sequence uint64) error {
	if sequence+1 < b.First || sequence > b.Last {
		return &OutsideError{Sequence: sequence, Bounds: b}
	}
	return nil
}

// An OutsideError is the error of a position outside the log.
type OutsideError struct {
	Sequence uint64
	Bounds   Bounds
}

func (e *OutsideError) Error() string {
	b := e.Bounds
	if e.Sequence > b.Last {
		return fmt.Sprintf("sequence %d is past the end of %s, which %s: it was restored from a backup or recreated, or the sequence is of another log: "+
			"compare what you have with the log, and begin at %s", e.Sequence, b.Stream, b.rangeText(), b.validText())
	}
	return fmt.Sprintf("sequence %d is before the beginning of %s, which %s: events after it aged out or were removed: "+
		"begin at %s", e.Sequence, b.Stream, b.rangeText(), b.validText())
}

func (b Bounds) rangeText() string {
	if b.First > b.Last {
		return fmt.Sprintf("is empty and continues with %d", b.Last+1)
	}
	return fmt.Sprintf("holds %d to %d", b.First, b.Last)
}

// validText describes where reading can begin.
func (b Bounds) validText() string {
	if b.First > b.Last {
		return fmt.Sprintf("sequence %d", b.Last+1)
	}
	return fmt.Sprintf("a sequence from %d to %d", b.First, b.Last+1)
}

// A position is how far a reader of a stream is.
type position struct {
	stream  string
	last    uint64    // sequence of the last message it has read
	created time.Time // of the stream; zero: not known yet
}

// A replacedError is the error of a follower whose stream was recreated, or restored to an earlier state: the next messages
// do not continue the read ones, and might come only after the old sequences are reached again.
type replacedError struct {
	position
	now jetstream.StreamInfo
}

func (e *replacedError) Error() string {
	return fmt.Sprintf("%s was restored or recreated while it was followed: read up to %d, it ends at %d now: compare what you have with the log, and start again",
		e.stream, e.last, e.now.State.LastSeq)
}

// check returns a [*replacedError] if the stream no longer has the position. The end of the stream is compared only after an
// idle time, because a newly elected leader may be behind. If JetStream does not respond, a later call checks again.
func (l *Log) check(ctx context.Context, pos *position, idle bool) error {
	stream, err := l.js.Stream(ctx, pos.stream)
	if err != nil {
		return nil //nolint:nilerr // reading reports the problem
	}
	info := stream.CachedInfo()
	if pos.created.IsZero() {
		pos.created = info.Created
	}
	if idle && info.State.LastSeq < pos.last || !info.Created.Equal(pos.created) {
		return &replacedError{*pos, *info}
	}
	return nil
}
