package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/pause"
)

// errRemade is for a log that is not the one that was loaded, or has lost its end.
var errRemade = errors.New("the log is another one than was read, or has lost its end: it is read again")

// otherLog is for a log that is not the one that is remembered, or not the one that the state bucket is filled from.
type otherLog struct{ error }

func (o otherLog) Unwrap() error { return o.error }

// sameLog says whether the log is the one that is remembered, which it had up to the horizon before it was looked
// at, and whether the state bucket is filled from it. Another log is read before anything is written to it. Every error
// but an [otherLog] says that it could not be found out.
func (f *follower) sameLog(ctx context.Context, log, view *jetstream.StreamInfo, horizon uint64) error {
	f.noteMissing(log.State)
	if made := f.made.Load(); made != 0 {
		shorter, err := f.lostEnd(ctx, log.State.LastSeq, horizon)
		if err != nil {
			return err
		}
		if shorter || made != log.Created.UnixNano() {
			f.readAgain()
			return otherLog{errRemade}
		}
	}
	_, err := f.checkView(ctx, log.State.LastSeq, view)
	return err
}

// hasLastKnown says whether the log has the last event that is known of it, with the same content.
func (f *follower) hasLastKnown(ctx context.Context) bool {
	horizon := f.heads.upTo()
	if horizon == 0 || f.made.Load() == 0 {
		return false
	}
	m, err := f.reader.get(ctx, f.names.EventStream(), map[string]any{"seq": horizon})
	if err != nil || m == nil {
		return false
	}
	h, err := m.header()
	if err != nil {
		return false
	}
	at := f.heads.get(event.ResourceOf(m.Subject[len(f.names.Prefix())+1:]))
	return at.fact != nil && at.fact.Sequence == horizon && at.fact.Hash != "" && at.fact.Hash == h.Get(event.HeaderHash)
}

// filledTo is the sequence of the log up to which a state bucket is filled: what its server says, which forgets it
// when it begins anew to read the log, or what its last entry says.
func (f *follower) filledTo(ctx context.Context, view *jetstream.StreamInfo) (upTo uint64, err error) {
	if len(view.Sources) > 0 {
		upTo = view.Sources[0].Seq
	}
	if view.State.Msgs == 0 {
		return upTo, nil
	}
	m, err := f.reader.get(ctx, f.names.StateStream(), map[string]any{"seq": view.State.LastSeq})
	if err != nil || m == nil {
		return upTo, err
	}
	h, err := m.header()
	if err != nil {
		return upTo, err
	}
	last, err := event.FactOfState(h)
	if err != nil {
		return upTo, nil //nolint:nilerr // what is no event of the bridge tells nothing
	}
	return max(upTo, last.Sequence), nil
}

// checkView returns the sequence of the log up to which the state bucket is filled, and an [otherLog] if that is beyond the
// end of the log, which was at the sequence last when it was looked at. The server goes on to fill the bucket from where it
// was: a bucket that is ahead of the log would miss what the log gets until then. The bucket is not deleted here: where the log was lost or damaged, the bucket is all that tells what it held.
func (f *follower) checkView(ctx context.Context, last uint64, view *jetstream.StreamInfo) (upTo uint64, err error) {
	upTo, err = f.filledTo(ctx, view)
	if err != nil || upTo <= last {
		return upTo, err
	}
	log, err := f.js.Stream(ctx, f.names.EventStream())
	if err != nil {
		return upTo, err
	}
	if last = log.CachedInfo().State.LastSeq; upTo <= last {
		return upTo, nil
	}
	return upTo, otherLog{fmt.Errorf("%s was filled up to %d from a log that is not this one, which ends at %d: either %s was deleted and made again, or it lost its end (a damaged disk, a store or a backup of an earlier time). "+
		"Bring the whole store back if there is a better copy; else delete %[1]s (nats stream rm %[1]s): the bridge makes it again, the server fills it from the log, and polling finds what the log lacks",
		f.names.StateStream(), upTo, last, f.names.EventStream())}
}

// lastEvent is the sequence of the last event that the log has. It is not the log's last sequence where damage took
// the end.
func (f *follower) lastEvent(ctx context.Context, log jetstream.StreamState) (uint64, error) {
	if log.NumDeleted == 0 {
		return log.LastSeq, nil
	}
	m, err := f.reader.get(ctx, f.names.EventStream(), map[string]any{"last_by_subj": f.names.EventSubjects()})
	if err != nil || m == nil {
		return 0, err
	}
	return m.Sequence, nil
}

// noteMissing tells of events that the log has no more though it keeps them: deletes are denied, so that a hole
// can only be damage. It is no reason not to be ready: it does not go away, another bridge would find the same, and what comes
// now is stored as it must be, behind what the state bucket still has of the events that are gone.
func (f *follower) noteMissing(log jetstream.StreamState) {
	missing := int64(log.NumDeleted)
	if missing > 0 {
		f.trims.Store(true) // what the log lacks, the state bucket may have
	}
	if before := f.missing.Swap(missing); missing > before {
		f.log.Error("events in the middle of the log are gone: its store was damaged; restore it from a backup if they matter, what comes now is stored all the same",
			"stream", f.names.EventStream(), "events", missing)
	}
}

// How often, and how far apart, a log that ends too early is asked for its end.
const (
	endLooks = 6
	endLook  = 200 * time.Millisecond
)

// lostEnd says whether the log, whose end was told, ends before what was in it already. A server of a cluster that
// was just chosen to lead may not have come to the end again: it is asked until it has.
func (f *follower) lostEnd(ctx context.Context, end, horizon uint64) (bool, error) {
	for looks := 0; end < horizon; looks++ {
		if looks == endLooks {
			return true, nil
		}
		if err := pause.For(ctx, endLook); err != nil {
			return false, err
		}
		log, err := f.js.Stream(ctx, f.names.EventStream())
		if err != nil {
			return false, err
		}
		if log.CachedInfo().Created.UnixNano() != f.made.Load() {
			return false, nil // it is another one, and has another end
		}
		end = log.CachedInfo().State.LastSeq
	}
	return false, nil
}
