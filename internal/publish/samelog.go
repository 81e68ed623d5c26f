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

// errLogReplaced is the error of a log that is not the one that was loaded, or has lost its end.
var errLogReplaced = errors.New("log was replaced or has lost its end: the cache is reloaded")

// wrongLogError is the error of a log that is not the cached one, or not the one that the state bucket is filled from.
type wrongLogError struct{ error }

func (o wrongLogError) Unwrap() error { return o.error }

// checkSameLog returns a [wrongLogError] if the log is not the cached one, or if the state bucket is filled from another
// one. horizon is the cached horizon from before log was read. A replaced log is loaded before an event is written to it.
// Every other error says that the check failed.
func (f *follower) checkSameLog(ctx context.Context, log, bucket *jetstream.StreamInfo, horizon uint64) error {
	f.reportMissing(log.State)
	if created := f.logCreated.Load(); created != 0 {
		shorter, err := f.lostEnd(ctx, log.State.LastSeq, horizon)
		if err != nil {
			return err
		}
		if shorter || created != log.Created.UnixNano() {
			f.reload()
			return wrongLogError{errLogReplaced}
		}
	}
	_, err := f.checkStateBucket(ctx, log.State.LastSeq, bucket)
	return err
}

// hasHorizonEvent reports whether the log has the cached event with the highest sequence, with the same content.
func (f *follower) hasHorizonEvent(ctx context.Context) bool {
	horizon := f.heads.horizon()
	if horizon == 0 || f.logCreated.Load() == 0 {
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

// bucketHorizon returns the sequence of the log up to which the state bucket is filled. The server reports it as the
// position of the bucket's source, but loses it when it restarts the source; the bucket's last event has it as well.
func (f *follower) bucketHorizon(ctx context.Context, bucket *jetstream.StreamInfo) (upTo uint64, err error) {
	if len(bucket.Sources) > 0 {
		upTo = bucket.Sources[0].Seq
	}
	if bucket.State.Msgs == 0 {
		return upTo, nil
	}
	m, err := f.reader.get(ctx, f.names.StateStream(), map[string]any{"seq": bucket.State.LastSeq})
	if err != nil || m == nil {
		return upTo, err
	}
	h, err := m.header()
	if err != nil {
		return upTo, err
	}
	last, err := event.FactOfState(h)
	if err != nil {
		return upTo, nil //nolint:nilerr // a foreign message says nothing
	}
	return max(upTo, last.Sequence), nil
}

// checkStateBucket returns the sequence of the log up to which the state bucket is filled, and a [wrongLogError] if that is
// beyond the end of the log. last is the end from before the bucket was read. The server continues to fill the bucket from
// that sequence, so a bucket that is ahead of the log would miss every event up to it. The bridge does not delete the
// bucket: if the log was lost or damaged, only the bucket has its last events.
func (f *follower) checkStateBucket(ctx context.Context, last uint64, bucket *jetstream.StreamInfo) (upTo uint64, err error) {
	upTo, err = f.bucketHorizon(ctx, bucket)
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
	return upTo, wrongLogError{fmt.Errorf("%s was filled up to sequence %d from another log, and this one ends at %d: either %s was deleted and recreated, or it lost its end (a damaged disk, or an older store or backup). "+
		"Restore the whole store if you have a better copy; otherwise delete %[1]s (nats stream rm %[1]s): the bridge recreates it, the server fills it from the log, and polling finds what the log lacks",
		f.names.StateStream(), upTo, last, f.names.EventStream())}
}

// lastEventSequence returns the sequence of the last event in the log. That is less than the log's last sequence if damage
// removed the end.
func (f *follower) lastEventSequence(ctx context.Context, log jetstream.StreamState) (uint64, error) {
	if log.NumDeleted == 0 {
		return log.LastSeq, nil
	}
	m, err := f.reader.get(ctx, f.names.EventStream(), map[string]any{"last_by_subj": f.names.EventSubjects()})
	if err != nil || m == nil {
		return 0, err
	}
	return m.Sequence, nil
}

// reportMissing logs that the log lacks events in the middle: deletes are denied, so that a gap means damage. The bridge
// stays ready, because a gap is permanent, another bridge would find the same, and new events are stored correctly behind
// the missing ones, whose last is in the state bucket.
func (f *follower) reportMissing(log jetstream.StreamState) {
	missing := int64(log.NumDeleted)
	if missing > 0 {
		f.mayTrim.Store(true) // the state bucket may have events that the log lacks
	}
	if before := f.missing.Swap(missing); missing > before {
		f.log.Error("log lacks events in the middle: its store was damaged; restore a backup if you need them; new events are stored",
			"stream", f.names.EventStream(), "events", missing)
	}
}

// How often, and at which interval, the end of a log that seems too short is read again.
const (
	endChecks        = 6
	endCheckInterval = 200 * time.Millisecond
)

// lostEnd reports whether the log ends before the horizon. end is its end as just read. A server that was just elected
// leader may not have caught up with the end yet, so the end is read again several times.
func (f *follower) lostEnd(ctx context.Context, end, horizon uint64) (bool, error) {
	for checks := 0; end < horizon; checks++ {
		if checks == endChecks {
			return true, nil
		}
		if err := pause.For(ctx, endCheckInterval); err != nil {
			return false, err
		}
		log, err := f.js.Stream(ctx, f.names.EventStream())
		if err != nil {
			return false, err
		}
		if log.CachedInfo().Created.UnixNano() != f.logCreated.Load() {
			return false, nil // the log was replaced: not the same end to compare with
		}
		end = log.CachedInfo().State.LastSeq
	}
	return false, nil
}
