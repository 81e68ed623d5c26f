package publish

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/pause"
	"mkio-bridge/internal/tail"
)

// load is [Publisher.Load]. Newer heads in the cache stay, unless the log was replaced.
func (f *follower) load(ctx context.Context) error {
	err := f.readStateBucket(ctx)
	if err == nil {
		f.filled.Store(true)
	}
	return err
}

// readStateBucket fills the cache from the state bucket.
func (f *follower) readStateBucket(ctx context.Context) error {
	state, upTo, err := f.awaitStateBucket(ctx)
	if err != nil {
		return fmt.Errorf("read %s: %w", f.names.StateStream(), err)
	}
	if state.Msgs == 0 {
		f.loaded.Store(upTo)
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(scanTimeout, func() { cancel(errScanStalled) })
	defer idle.Stop()
	consumer, err := f.js.OrderedConsumer(ctx, f.names.StateStream(), tail.Ordered(jetstream.OrderedConsumerConfig{HeadersOnly: true}))
	if err != nil {
		return fmt.Errorf("read %s: %w", f.names.StateStream(), err)
	}
	iterator, err := consumer.Messages(jetstream.PullMaxMessages(scanBatch))
	if err != nil {
		return fmt.Errorf("read %s: %w", f.names.StateStream(), err)
	}
	messages := tail.Of(iterator)
	defer messages.Stop()
	prefix := f.names.StateSubject("")
	for {
		msg, err := messages.Next(ctx)
		if err != nil {
			return fmt.Errorf("read %s: %w", f.names.StateStream(), cmp.Or(context.Cause(ctx), err))
		}
		idle.Reset(scanTimeout)
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("read %s: %w", f.names.StateStream(), err)
		}
		fact, err := event.FactOfState(msg.Headers())
		if err != nil {
			f.log.Warn("state bucket key skipped: not an event of the bridge", "key", msg.Subject(), "error", err)
		} else {
			f.heads.putIfNewer(msg.Subject()[len(prefix):], head{fact: &fact, expect: fact.Sequence})
		}
		if meta.NumPending == 0 {
			f.loaded.Store(upTo)
			return nil
		}
	}
}

// scanTimeout is how long a scan waits for its next message. A scan whose consumer another client changed would wait
// forever.
const scanTimeout = 30 * time.Second

var errScanStalled = fmt.Errorf("no message for %s though more are pending: the consumer may have been changed", scanTimeout)

// Limits of the wait for the server to fill the state bucket. Right after a start the bucket is some milliseconds behind,
// and ten seconds where the server opened the bucket before the log.
const (
	stateBucketTimeout      = 30 * time.Second
	wholeLogTimeout         = time.Second // where the log still has all events that the bucket lacks
	stateBucketPollInterval = 50 * time.Millisecond
)

// awaitStateBucket waits until the state bucket is filled up to the end that the log has now. A bucket that still lags when
// the time is over is used as it is: the tail of the log has the rest, except for events that have aged out of the log. upTo
// is the sequence of the log up to which the bucket is filled.
func (f *follower) awaitStateBucket(ctx context.Context) (state jetstream.StreamState, upTo uint64, err error) {
	horizon := f.heads.horizon()
	log, err := f.js.Stream(ctx, f.names.EventStream())
	if err != nil {
		return state, 0, err
	}
	info := log.CachedInfo()
	want := info.State
	f.reportMissing(want)
	f.mayTrim.Store(info.Config.MaxAge > 0 || info.Config.MaxBytes > 0 || info.Config.MaxMsgs > 0 || want.FirstSeq > 1 || want.NumDeleted > 0)
	shorter, err := f.lostEnd(ctx, want.LastSeq, horizon)
	if err != nil {
		return state, 0, err
	}
	if created := info.Created.UnixNano(); f.logCreated.Swap(created) != created || shorter {
		f.filled.Store(false)
		f.heads.reset() // the cached events are not in this log
		f.reader.recent.reset()
	}
	if want.LastSeq, err = f.lastEventSequence(ctx, want); err != nil {
		return state, 0, err
	}
	f.logEnd.Store(want.LastSeq) // may be lower than before, if the log was replaced or lost its end
	for waited := time.Duration(0); ; waited += stateBucketPollInterval {
		bucket, err := f.js.Stream(ctx, f.names.StateStream())
		if err != nil {
			return state, 0, err
		}
		info := bucket.CachedInfo()
		if upTo, err = f.checkStateBucket(ctx, want.LastSeq, info); err != nil {
			return state, 0, err
		}
		if want.Msgs == 0 || upTo >= want.LastSeq {
			f.bucketLags.Store(false)
			return info.State, want.LastSeq, nil
		}
		whole := want.FirstSeq <= upTo+1 && want.NumDeleted == 0
		if whole && waited >= wholeLogTimeout {
			f.bucketLags.Store(false)
			return info.State, upTo, nil
		}
		if waited >= stateBucketTimeout {
			f.bucketLags.Store(true)
			f.log.Warn("state bucket lags behind the log; continuing with its content", "bucket", f.names.StateBucket(), "waited", waited)
			return info.State, upTo, nil
		}
		if err := pause.For(ctx, stateBucketPollInterval); err != nil {
			return state, 0, err
		}
	}
}

// scanBatch is how many messages (headers only) a scan requests at once.
const scanBatch = 4096

// caughtUp is [Publisher.CaughtUp].
func (f *follower) caughtUp(ctx context.Context) error {
	if !f.bucketLags.Load() {
		return nil
	}
	if err := f.load(ctx); err != nil {
		return err
	}
	if f.bucketLags.Load() {
		return fmt.Errorf("bucket %s lags behind the log", f.names.StateBucket())
	}
	return nil
}
