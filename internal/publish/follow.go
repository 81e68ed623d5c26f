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

// A follower keeps the cache of heads true to the log, whoever writes it: it fills the cache from the state bucket (Load),
// then reads the tail of the log (Follow), and notices when the log is another one than was read, or has lost its end.
//
// What it knows of the log itself is atomic, each by itself: the surveys of the streams and each observation ask and note it
// beside the tail.
type follower struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	log    *slog.Logger
	names  event.Names
	reader *reader
	heads  *heads
	tails  prometheus.Counter // of those that stayed behind

	loaded  atomic.Uint64                           // the sequence of the log up to which the cache is true
	end     atomic.Uint64                           // the highest sequence that the log was seen to have
	behind  atomic.Bool                             // the state bucket had not caught up with the log when it was read
	made    atomic.Int64                            // when the log that is remembered was made; 0: none is
	missing atomic.Int64                            // events in the middle of the log that it has no more
	trims   atomic.Bool                             // the log has forgotten something, or may
	reading atomic.Pointer[context.CancelCauseFunc] // ends the tail, so that all is read again
}

func newFollower(nc *nats.Conn, js jetstream.JetStream, names event.Names, log *slog.Logger, r *reader, h *heads, tails prometheus.Counter) *follower {
	f := &follower{nc: nc, js: js, log: log, names: names, reader: r, heads: h, tails: tails}
	f.trims.Store(true) // until the log was seen to keep everything
	return f
}

// OnEvent is called with each event that follows those that were loaded, whichever bridge wrote it, in the order of the log.
type OnEvent func(resource string, fact lifecycle.Fact)

// followRetry is the pause before a tail that broke is taken up again.
const followRetry = time.Second

// follow keeps the cache true to the log until the context ends. When the tail breaks, it logs why, loads the cache again,
// calls wake and goes on. A tail that fell behind gets one new consumer at the same sequence (repaired) before that.
func (f *follower) follow(ctx context.Context, told OnEvent, wake func()) {
	for repaired := uint64(math.MaxUint64); ctx.Err() == nil; {
		err := f.readTail(ctx, told)
		if ctx.Err() != nil {
			return
		}
		f.log.Warn("the log cannot be followed; it is tried again", "stream", f.names.EventStream(), "error", err)
		if seen := f.loaded.Load(); errors.Is(err, errBehind) && seen != repaired {
			repaired = seen
			continue // another consumer gets what this one did not; where it does not, all is read again
		}
		for level := slog.LevelWarn; ; level = slog.LevelDebug { // it is said once
			if !errors.Is(err, errRemade) && pause.For(ctx, followRetry) != nil {
				return
			}
			if err = f.load(ctx); err == nil {
				break
			}
			f.log.Log(ctx, level, "the state of known resources could not be read again; it is tried again", "error", err)
		}
		wake()
	}
}

// errSkipped is for events that left the log before they were seen here.
var errSkipped = errors.New("events have aged out unseen")

// readAgain has the tail end, and everything read again.
func (f *follower) readAgain() {
	if end := f.reading.Load(); end != nil {
		(*end)(errRemade)
	}
}

// readTail caches each event behind what was loaded, and calls told with it, until the tail breaks.
func (f *follower) readTail(ctx context.Context, told OnEvent) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	f.reading.Store(&end)
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
			return fmt.Errorf("%w: %d to %d", errSkipped, seen+1, sequence-1)
		}
		seen = sequence
		f.loaded.Store(seen)
		e, own := f.reader.recent.get(sequence) // most are: they need no reading
		if own = own && e.fact.Hash == msg.Headers().Get(event.HeaderHash); !own {
			e, err = earlierOf(event.ResourceOf(msg.Subject()[prefix:]), msg.Headers(), sequence)
		}
		if err != nil {
			f.log.Warn("an entry of the log is no event of the bridge and is passed over", "subject", msg.Subject(), "error", err)
			continue
		}
		f.heads.learn(e.resource, head{fact: &e.fact, expect: sequence}) // our own too: all may have been forgotten meanwhile
		if !own {
			f.reader.recent.put(e)
		}
		told(e.resource, e.fact)
	}
}
