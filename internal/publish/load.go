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

// load is [Publisher.Load]. What is newer in the cache stays, unless the log is another one now.
func (f *follower) load(ctx context.Context) error {
	state, upTo, err := f.awaitView(ctx)
	if err != nil {
		return fmt.Errorf("read %s: %w", f.names.StateStream(), err)
	}
	if state.Msgs == 0 {
		f.loaded.Store(upTo)
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(scanWait, func() { cancel(errNoNews) })
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
		idle.Reset(scanWait)
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("read %s: %w", f.names.StateStream(), err)
		}
		fact, err := event.FactOfState(msg.Headers())
		if err != nil {
			f.log.Warn("an entry of the state bucket is no event of the bridge and is passed over", "key", msg.Subject(), "error", err)
		} else {
			f.heads.learn(msg.Subject()[len(prefix):], head{fact: &fact, expect: fact.Sequence})
		}
		if meta.NumPending == 0 {
			f.loaded.Store(upTo)
			return nil
		}
	}
}

// scanWait is how long a scan waits for its next message: its consumer may have been changed.
const scanWait = 30 * time.Second

var errNoNews = fmt.Errorf("nothing came for %s though there is more", scanWait)

// Patience with the server that fills the state bucket. Right after a start it takes a moment, and ten seconds where the
// server opened the bucket before the log.
const (
	viewPatience = 30 * time.Second
	tailPatience = time.Second // where the log itself tells what the bucket does not have yet
	viewLook     = 50 * time.Millisecond
)

// awaitView waits until the state bucket, which is the log's view of last events, holds what the log holds now. A bucket that
// does not get there in time is used as it is: the tail of the log has the rest, except for resources that have aged out of
// the log. upTo is the sequence of the log up to which the bucket is filled.
func (f *follower) awaitView(ctx context.Context) (state jetstream.StreamState, upTo uint64, err error) {
	horizon := f.heads.upTo()
	log, err := f.js.Stream(ctx, f.names.EventStream())
	if err != nil {
		return state, 0, err
	}
	info := log.CachedInfo()
	want := info.State
	f.noteMissing(want)
	f.trims.Store(info.Config.MaxAge > 0 || info.Config.MaxBytes > 0 || info.Config.MaxMsgs > 0 || want.FirstSeq > 1 || want.NumDeleted > 0)
	shorter, err := f.lostEnd(ctx, want.LastSeq, horizon)
	if err != nil {
		return state, 0, err
	}
	if made := info.Created.UnixNano(); f.made.Swap(made) != made || shorter {
		f.heads.forget() // another log, or one that lost its end: what is cached is not in it
		f.reader.recent.forget()
	}
	if want.LastSeq, err = f.lastEvent(ctx, want); err != nil {
		return state, 0, err
	}
	f.end.Store(want.LastSeq) // it may be less than what was seen: the log lost its end, or is another one
	for waited := time.Duration(0); ; waited += viewLook {
		view, err := f.js.Stream(ctx, f.names.StateStream())
		if err != nil {
			return state, 0, err
		}
		info := view.CachedInfo()
		if upTo, err = f.checkView(ctx, want.LastSeq, info); err != nil {
			return state, 0, err
		}
		if want.Msgs == 0 || upTo >= want.LastSeq {
			f.behind.Store(false)
			return info.State, want.LastSeq, nil
		}
		whole := want.FirstSeq <= upTo+1 && want.NumDeleted == 0
		if whole && waited >= tailPatience {
			f.behind.Store(false)
			return info.State, upTo, nil
		}
		if waited >= viewPatience {
			f.behind.Store(true)
			f.log.Warn("the state bucket lags behind the log; going on with what it has", "bucket", f.names.StateBucket(), "waited", waited)
			return info.State, upTo, nil
		}
		if err := pause.For(ctx, viewLook); err != nil {
			return state, 0, err
		}
	}
}

// scanBatch is how many headers a scan asks for at once.
const scanBatch = 4096

// caughtUp is [Publisher.CaughtUp].
func (f *follower) caughtUp(ctx context.Context) error {
	if !f.behind.Load() {
		return nil
	}
	if err := f.load(ctx); err != nil {
		return err
	}
	if f.behind.Load() {
		return fmt.Errorf("bucket %s lags behind the log", f.names.StateBucket())
	}
	return nil
}
