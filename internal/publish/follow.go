package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
	"mkio-bridge/internal/pause"
	"mkio-bridge/internal/tail"
)

// Load fills the memory with the last event of every resource, from the headers of the state
// bucket. It may be called again at any time.
func (p *Publisher) Load(ctx context.Context) error {
	state, upTo, err := p.awaitView(ctx)
	if err != nil {
		return fmt.Errorf("read %s: %w", p.names.StateStream(), err)
	}
	if state.Msgs == 0 {
		p.loaded.Store(upTo)
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(scanWait, func() { cancel(errNoNews) })
	defer idle.Stop()
	consumer, err := p.js.OrderedConsumer(ctx, p.names.StateStream(), tail.Ordered(jetstream.OrderedConsumerConfig{HeadersOnly: true}))
	if err != nil {
		return fmt.Errorf("read %s: %w", p.names.StateStream(), err)
	}
	iterator, err := consumer.Messages(jetstream.PullMaxMessages(scanBatch))
	if err != nil {
		return fmt.Errorf("read %s: %w", p.names.StateStream(), err)
	}
	messages := tail.Of(iterator)
	defer messages.Stop()
	prefix := p.names.StateSubject("")
	for {
		msg, err := messages.Next(ctx)
		if err != nil {
			return fmt.Errorf("read %s: %w", p.names.StateStream(), cmp.Or(context.Cause(ctx), err))
		}
		idle.Reset(scanWait)
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("read %s: %w", p.names.StateStream(), err)
		}
		fact, err := event.FactOfState(msg.Headers())
		if err != nil {
			p.log.Warn("an entry of the state bucket is no event of the bridge and is passed over", "key", msg.Subject(), "error", err)
		} else {
			p.known.learn(msg.Subject()[len(prefix):], place{fact: &fact, expect: fact.Sequence})
		}
		if meta.NumPending == 0 {
			p.loaded.Store(upTo)
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

// awaitView waits until the state bucket holds what the log holds now. One that does not get there is
// used as it is: the tail of the log tells the rest, but for resources that have aged out of the log. upTo
// is the sequence of the log up to which it is filled.
func (p *Publisher) awaitView(ctx context.Context) (state jetstream.StreamState, upTo uint64, err error) {
	horizon := p.Horizon()
	log, err := p.js.Stream(ctx, p.names.EventStream())
	if err != nil {
		return state, 0, err
	}
	info := log.CachedInfo()
	want := info.State
	p.noteMissing(want)
	p.trims.Store(info.Config.MaxAge > 0 || info.Config.MaxBytes > 0 || info.Config.MaxMsgs > 0 || want.FirstSeq > 1 || want.NumDeleted > 0)
	shorter, err := p.lostEnd(ctx, want.LastSeq, horizon)
	if err != nil {
		return state, 0, err
	}
	if made := info.Created.UnixNano(); p.made.Swap(made) != made || shorter {
		p.known.forget() // another log, or one that lost its end: what is remembered is not in it
		p.reader.recent.forget()
		p.epoch.Add(1)
	}
	if want.LastSeq, err = p.lastEvent(ctx, want); err != nil {
		return state, 0, err
	}
	p.end.Store(want.LastSeq) // it may be less than what was seen: the log lost its end, or is another one
	for waited := time.Duration(0); ; waited += viewLook {
		view, err := p.js.Stream(ctx, p.names.StateStream())
		if err != nil {
			return state, 0, err
		}
		info := view.CachedInfo()
		if upTo, err = p.viewOf(ctx, want.LastSeq, info); err != nil {
			return state, 0, err
		}
		if want.Msgs == 0 || upTo >= want.LastSeq {
			p.behind.Store(false)
			return info.State, want.LastSeq, nil
		}
		whole := want.FirstSeq <= upTo+1 && want.NumDeleted == 0
		if whole && waited >= tailPatience {
			p.behind.Store(false)
			return info.State, upTo, nil
		}
		if waited >= viewPatience {
			p.behind.Store(true)
			p.log.Warn("the state bucket lags behind the log; going on with what it has", "bucket", p.names.StateBucket(), "waited", waited)
			return info.State, upTo, nil
		}
		if err := pause.For(ctx, viewLook); err != nil {
			return state, 0, err
		}
	}
}

// filledTo is the sequence of the log up to which a state bucket is filled: what its server says, which forgets it
// when it begins anew to read the log, or what its last entry says.
func (p *Publisher) filledTo(ctx context.Context, view *jetstream.StreamInfo) (upTo uint64, err error) {
	if len(view.Sources) > 0 {
		upTo = view.Sources[0].Seq
	}
	if view.State.Msgs == 0 {
		return upTo, nil
	}
	m, err := p.reader.get(ctx, p.names.StateStream(), map[string]any{"seq": view.State.LastSeq})
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

// viewOf says whether the state bucket can be filled from the log, which ended at a sequence when it was looked at.
// The server goes on where it was: a bucket that is ahead of the log would miss what the log gets until then. It is
// not deleted here: where the log was lost or damaged, the bucket is all that tells what it held.
func (p *Publisher) viewOf(ctx context.Context, last uint64, view *jetstream.StreamInfo) (upTo uint64, err error) {
	upTo, err = p.filledTo(ctx, view)
	if err != nil || upTo <= last {
		return upTo, err
	}
	log, err := p.js.Stream(ctx, p.names.EventStream())
	if err != nil {
		return upTo, err
	}
	if last = log.CachedInfo().State.LastSeq; upTo <= last {
		return upTo, nil
	}
	return upTo, otherLog{fmt.Errorf("%s was filled up to %d from a log that is not this one, which ends at %d: either %s was deleted and made again, or it lost its end (a damaged disk, a store or a backup of an earlier time). "+
		"Bring the whole store back if there is a better copy; else delete %[1]s (nats stream rm %[1]s): the bridge makes it again, the server fills it from the log, and polling finds what the log lacks",
		p.names.StateStream(), upTo, last, p.names.EventStream())}
}

// lastEvent is the sequence of the last event that the log has. It is not the log's last sequence where damage took
// the end.
func (p *Publisher) lastEvent(ctx context.Context, log jetstream.StreamState) (uint64, error) {
	if log.NumDeleted == 0 {
		return log.LastSeq, nil
	}
	m, err := p.reader.get(ctx, p.names.EventStream(), map[string]any{"last_by_subj": p.names.EventSubjects()})
	if err != nil || m == nil {
		return 0, err
	}
	return m.Sequence, nil
}

// noteMissing tells of events that the log has no more though it keeps them: deletes are denied, so that a hole
// can only be damage. It is no reason not to be ready: it does not go away, another bridge would find the same, and what comes
// now is stored as it must be, behind what the state bucket still has of the events that are gone.
func (p *Publisher) noteMissing(log jetstream.StreamState) {
	missing := int64(log.NumDeleted)
	if missing > 0 {
		p.trims.Store(true) // what the log lacks, the state bucket may have
	}
	if before := p.missing.Swap(missing); missing > before {
		p.log.Error("events in the middle of the log are gone: its store was damaged; restore it from a backup if they matter, what comes now is stored all the same",
			"stream", p.names.EventStream(), "events", missing)
	}
}

// How often, and how far apart, a log that ends too early is asked for its end.
const (
	endLooks = 6
	endLook  = 200 * time.Millisecond
)

// lostEnd says whether the log, whose end was told, ends before what was in it already. A server of a cluster that
// was just chosen to lead may not have come to the end again: it is asked until it has.
func (p *Publisher) lostEnd(ctx context.Context, end, horizon uint64) (bool, error) {
	for looks := 0; end < horizon; looks++ {
		if looks == endLooks {
			return true, nil
		}
		if err := pause.For(ctx, endLook); err != nil {
			return false, err
		}
		log, err := p.js.Stream(ctx, p.names.EventStream())
		if err != nil {
			return false, err
		}
		if log.CachedInfo().Created.UnixNano() != p.made.Load() {
			return false, nil // it is another one, and has another end
		}
		end = log.CachedInfo().State.LastSeq
	}
	return false, nil
}

// scanBatch is how many headers a scan asks for at once.
const scanBatch = 4096

// A Told hears of each event that follows what was loaded, by whatever bridge, in the order of the log.
type Told func(resource string, fact lifecycle.Fact)

// followRetry is the pause before a tail that broke is taken up again.
const followRetry = time.Second

// Follow keeps the memory true to the log, whoever writes it, and the streams as they must be, until the context
// ends. It is what lets writes through again after JetStream was in trouble.
func (p *Publisher) Follow(ctx context.Context, told Told) {
	var guarding sync.WaitGroup
	defer guarding.Wait()
	guarding.Go(func() { p.guard(ctx) })
	for repaired := uint64(math.MaxUint64); ctx.Err() == nil; {
		err := p.follow(ctx, told)
		if ctx.Err() != nil {
			return
		}
		p.log.Warn("the log cannot be followed; it is tried again", "stream", p.names.EventStream(), "error", err)
		if seen := p.loaded.Load(); errors.Is(err, errBehind) && seen != repaired {
			repaired = seen
			continue // another consumer gets what this one did not; where it does not, all is read again
		}
		for level := slog.LevelWarn; ; level = slog.LevelDebug { // it is said once
			if !errors.Is(err, errRemade) && pause.For(ctx, followRetry) != nil {
				return
			}
			if err = p.Load(ctx); err == nil {
				break
			}
			p.log.Log(ctx, level, "the state of known resources could not be read again; it is tried again", "error", err)
		}
		rouse(p.wake)
	}
}

// errSkipped is for events that left the log before they were seen here.
var errSkipped = errors.New("events have aged out unseen")

// errRemade is for a log that is not the one that was loaded, or has lost its end.
var errRemade = errors.New("the log is another one than was read, or has lost its end: it is read again")

// readAgain has the tail end, and everything read again.
func (p *Publisher) readAgain() {
	if end := p.reading.Load(); end != nil {
		(*end)(errRemade)
	}
}

func (p *Publisher) follow(ctx context.Context, told Told) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	p.reading.Store(&end)
	seen := p.loaded.Load()
	consumer, err := p.js.OrderedConsumer(ctx, p.names.EventStream(), tail.Ordered(jetstream.OrderedConsumerConfig{
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
	watching.Go(func() { p.watchTail(ctx, end) })
	prefix := len(p.names.Prefix()) + 1
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
		p.loaded.Store(seen)
		e, own := p.reader.recent.get(sequence) // most are: they need no reading
		if own = own && e.fact.Hash == msg.Headers().Get(event.HeaderHash); !own {
			e, err = earlierOf(event.ResourceOf(msg.Subject()[prefix:]), msg.Headers(), sequence)
		}
		if err != nil {
			p.log.Warn("an entry of the log is no event of the bridge and is passed over", "subject", msg.Subject(), "error", err)
			continue
		}
		p.known.learn(e.resource, place{fact: &e.fact, expect: sequence}) // our own too: all may have been forgotten meanwhile
		if !own {
			p.reader.recent.put(e)
		}
		told(e.resource, e.fact)
	}
}

// CaughtUp says whether the memory was filled from a state bucket that held all of the log. Where it was not,
// it is filled again.
func (p *Publisher) CaughtUp(ctx context.Context) error {
	if !p.behind.Load() {
		return nil
	}
	if err := p.Load(ctx); err != nil {
		return err
	}
	if p.behind.Load() {
		return fmt.Errorf("bucket %s lags behind the log", p.names.StateBucket())
	}
	return nil
}
