package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/pause"
	"mkio-bridge/internal/tail"
)

// A follower keeps the cache of heads in step with the log, whichever bridge writes it. It fills the cache from the state
// bucket (Load), then reads the tail of the log (Follow), and detects when the log was replaced by another, or has lost its
// end.
//
// Its atomic fields are independent of each other: the surveys of the streams and the observations read and set them while
// the tail is read.
type follower struct {
	nc          *nats.Conn
	js          jetstream.JetStream
	log         *slog.Logger
	names       event.Names
	reader      *reader
	heads       *heads
	tailsBehind prometheus.Counter // of stalled tails

	loaded     atomic.Uint64                           // the sequence of the log up to which the cache is filled
	logEnd     atomic.Uint64                           // the highest sequence that the log is known to have
	filled     atomic.Bool                             // the cache was filled, and not reset since
	bucketLags atomic.Bool                             // the state bucket lagged behind the log when it was last read
	logCreated atomic.Int64                            // when the cached log was created, in Unix nanoseconds; 0: no log is cached
	missing    atomic.Int64                            // events missing in the middle of the log
	mayTrim    atomic.Bool                             // the log has a limit, or lacks events: a resource's events may be gone
	cancelTail atomic.Pointer[context.CancelCauseFunc] // cancels the tail, so that the cache is loaded again
}

func newFollower(nc *nats.Conn, js jetstream.JetStream, names event.Names, log *slog.Logger, r *reader, h *heads, tails prometheus.Counter) *follower {
	f := &follower{nc: nc, js: js, log: log, names: names, reader: r, heads: h, tailsBehind: tails}
	f.mayTrim.Store(true) // until the log's configuration is known
	return f
}

// OnEvent is called with each event behind the loaded ones, whichever bridge wrote it, in log order.
type OnEvent func(resource string, fact lifecycle.Fact)

// followRetry is the pause before a broken tail is read again.
const followRetry = time.Second

// follow keeps the cache in step with the log until the context ends. When the tail breaks, it logs why, loads the cache
// again, calls wake and continues. A stalled tail first gets one new consumer at the same sequence (repaired).
func (f *follower) follow(ctx context.Context, onEvent OnEvent, wake func()) {
	for repaired := uint64(math.MaxUint64); ctx.Err() == nil; {
		err := f.readTail(ctx, onEvent)
		if ctx.Err() != nil {
			return
		}
		f.log.Warn("tail of the log broke; retrying", "stream", f.names.EventStream(), "error", err)
		if seen := f.loaded.Load(); errors.Is(err, errBehind) && seen != repaired {
			repaired = seen
			continue // if a new consumer stalls at the same sequence as well, the cache is loaded again
		}
		for level := slog.LevelWarn; ; level = slog.LevelDebug { // warns once
			if !errors.Is(err, errLogReplaced) && pause.For(ctx, followRetry) != nil {
				return
			}
			if err = f.load(ctx); err == nil {
				break
			}
			f.log.Log(ctx, level, "reload of the cache failed; retrying", "error", err)
		}
		wake()
	}
}

// errTrimmedUnseen is the error of a tail whose next events left the log before they were read.
var errTrimmedUnseen = errors.New("events aged out of the log before they were read")

// reload cancels the tail, so that follow loads the cache again.
func (f *follower) reload() {
	if end := f.cancelTail.Load(); end != nil {
		(*end)(errLogReplaced)
	}
}

// readTail caches each event behind the loaded ones, and calls onEvent with it, until the tail breaks.
func (f *follower) readTail(ctx context.Context, onEvent OnEvent) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	f.cancelTail.Store(&end)
	seen := f.loaded.Load()
	consumer, err := f.js.OrderedConsumer(ctx, f.names.EventStream(), tail.Ordered(jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: seen + 1, HeadersOnly: true,
	}))
	if err != nil {
		return err
	}
	iterator, err := consumer.Messages(jetstream.PullMaxMessages(scanBatch))
	if err != nil {
		return err
	}
	messages := tail.Of(iterator)
	defer messages.Stop()
	var watching sync.WaitGroup
	defer watching.Wait()
	defer end(nil)
	watching.Go(func() { f.watchTail(ctx, end) })
	prefix := len(f.names.Prefix()) + 1
	for {
		msg, err := messages.Next(ctx)
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		if err != nil {
			return err
		}
		meta, err := msg.Metadata()
		if err != nil {
			return err
		}
		sequence := meta.Sequence.Stream
		if sequence != seen+1 {
			return fmt.Errorf("%w: %d to %d", errTrimmedUnseen, seen+1, sequence-1)
		}
		seen = sequence
		f.loaded.Store(seen)
		e, own := f.reader.recent.get(sequence) // most events are this bridge's own, and need no decoding
		if own = own && e.fact.Hash == msg.Headers().Get(event.HeaderHash); !own {
			e, err = loggedEventOf(event.ResourceOf(msg.Subject()[prefix:]), msg.Headers(), sequence)
		}
		if err != nil {
			f.log.Warn("message skipped: not an event of the bridge", "subject", msg.Subject(), "error", err)
			continue
		}
		f.heads.putIfNewer(e.resource, head{fact: &e.fact, expect: sequence}) // own events too: the cache may have been reset meanwhile
		if !own {
			f.reader.recent.put(e)
		}
		onEvent(e.resource, e.fact)
	}
}
