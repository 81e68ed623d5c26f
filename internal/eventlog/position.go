package eventlog

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Bounds are the first and last sequence of the log, and which log that is.
type Bounds struct {
	Stream   string
	Identity string // of the log; a log that was made anew has another
	First    uint64 // Last + 1 while the log holds nothing
	Last     uint64 // 0 for a log that never had an event
}

// Bounds reads the bounds of the log as they are now.
func (l *Log) Bounds(ctx context.Context) (Bounds, error) {
	info, err := l.Stream(ctx)
	if err != nil {
		return Bounds{}, err
	}
	return Bounds{
		Stream:   info.Config.Name,
		Identity: info.Created.UTC().Format(time.RFC3339Nano),
		First:    max(info.State.FirstSeq, 1),
		Last:     info.State.LastSeq,
	}, nil
}

// CheckFrom returns an [*OutsideError] when reading cannot begin at a sequence without passing events over: events from
// there on are no longer in the log, or the log has not come so far. The sequence after the last one is inside.
func (b Bounds) CheckFrom(sequence uint64) error {
	if sequence < b.First || sequence > b.Last+1 {
		return &OutsideError{Sequence: sequence, Bounds: b}
	}
	return nil
}

// CheckAfter is [Bounds.CheckFrom] for a reader that has everything up to a sequence.
func (b Bounds) CheckAfter(sequence uint64) error {
	if sequence+1 < b.First || sequence > b.Last {
		return &OutsideError{Sequence: sequence, Bounds: b}
	}
	return nil
}

// An OutsideError is for a position that the log does not have.
type OutsideError struct {
	Sequence uint64
	Bounds   Bounds
}

func (e *OutsideError) Error() string {
	b := e.Bounds
	if e.Sequence > b.Last {
		return fmt.Sprintf("sequence %d is past the end of %s, which %s: it was restored from a backup or made anew, or the sequence is of another log: "+
			"compare what you have with the log, and begin at %s", e.Sequence, b.Stream, b.holds(), b.inside())
	}
	return fmt.Sprintf("sequence %d is before the beginning of %s, which %s: events that followed it aged out or were removed: "+
		"begin at %s", e.Sequence, b.Stream, b.holds(), b.inside())
}

func (b Bounds) holds() string {
	if b.First > b.Last {
		return fmt.Sprintf("is empty and goes on with %d", b.Last+1)
	}
	return fmt.Sprintf("holds %d to %d", b.First, b.Last)
}

// inside says in words where reading can begin.
func (b Bounds) inside() string {
	if b.First > b.Last {
		return fmt.Sprintf("sequence %d", b.Last+1)
	}
	return fmt.Sprintf("a sequence from %d to %d", b.First, b.Last+1)
}

// A place is how far a follower of a stream is.
type place struct {
	stream  string
	last    uint64    // sequence of the last message that it has
	created time.Time // the stream; zero: not read yet
}

// A restoredError is for a stream that is another one, or an earlier state of it, than a follower began to read: what
// comes is not what follows, and may not come before the old sequences are reached again.
type restoredError struct {
	place
	now jetstream.StreamInfo
}

func (e *restoredError) Error() string {
	return fmt.Sprintf("%s was restored or made anew while it was followed: it was read up to %d, and ends at %d now: compare what you have with the log, and begin anew",
		e.stream, e.last, e.now.State.LastSeq)
}

// check returns a [*restoredError] when the stream no longer has the place. The end of the stream counts only when nothing
// came for a while: a server that has just become its leader may be behind for a moment. A stream that does not answer is
// asked again another time.
func (l *Log) check(ctx context.Context, at *place, waited bool) error {
	stream, err := l.js.Stream(ctx, at.stream)
	if err != nil {
		return nil //nolint:nilerr // the reading itself says what is wrong
	}
	info := stream.CachedInfo()
	if at.created.IsZero() {
		at.created = info.Created
	}
	if waited && info.State.LastSeq < at.last || !info.Created.Equal(at.created) {
		return &restoredError{*at, *info}
	}
	return nil
}
