package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
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
	consumer, err := p.js.OrderedConsumer(ctx, p.names.StateStream(), jetstream.OrderedConsumerConfig{HeadersOnly: true, MaxResetAttempts: tail.Attempts})
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
		msg, err := messages.Next(ctx, ctx)
		if err != nil {
			return fmt.Errorf("read %s: %w", p.names.StateStream(), err)
		}
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

// Patience with the server that fills the state bucket: right after a start it takes a moment.
const (
	viewPatience = 30 * time.Second
	viewLook     = 50 * time.Millisecond
)

// awaitView waits until the state bucket holds what the log holds now. One that does not get there is
// used as it is: what it lacks costs a round trip, but for resources that have aged out of the log. upTo
// is the sequence of the log up to which it is filled.
func (p *Publisher) awaitView(ctx context.Context) (state jetstream.StreamState, upTo uint64, err error) {
	log, err := p.js.Stream(ctx, p.names.EventStream())
	if err != nil {
		return state, 0, err
	}
	info := log.CachedInfo()
	want := info.State
	p.trims.Store(info.Config.MaxAge > 0 || info.Config.MaxBytes > 0 || info.Config.MaxMsgs > 0 || want.FirstSeq > 1)
	if made := info.Created.UnixNano(); p.made.Swap(made) != made {
		p.known.forget() // another log: what is remembered of the one before is not in it
	}
	for waited := time.Duration(0); ; waited += viewLook {
		view, err := p.js.Stream(ctx, p.names.StateStream())
		if err != nil {
			return state, 0, err
		}
		info := view.CachedInfo()
		if len(info.Sources) > 0 {
			upTo = info.Sources[0].Seq
		}
		if upTo > want.LastSeq {
			now, err := log.Info(ctx)
			if err != nil {
				return state, 0, err
			}
			if upTo > now.State.LastSeq {
				return state, 0, fmt.Errorf("%s was filled up to %d from a log that is not this one, which ends at %d: delete %[1]s, the bridge makes it again", p.names.StateStream(), upTo, now.State.LastSeq)
			}
		}
		if want.Msgs == 0 || upTo >= want.LastSeq {
			p.behind.Store(false)
			return info.State, want.LastSeq, nil
		}
		if waited >= viewPatience {
			p.behind.Store(true)
			p.log.Warn("the state bucket lags behind the log; going on with what it has", "bucket", p.names.StateBucket(), "waited", waited)
			return info.State, upTo, nil
		}
		if err := pause(ctx, viewLook); err != nil {
			return state, 0, err
		}
	}
}

// scanBatch is how many headers a scan asks for at once.
const scanBatch = 4096

// A Told hears of each event that follows what was loaded, by whatever bridge, in the order of the log.
type Told func(resource string, fact lifecycle.Fact)

// followRetry is the pause before a tail that broke is taken up again.
const followRetry = time.Second

// Follow keeps the memory true to the log, whoever writes it, until the context ends.
func (p *Publisher) Follow(ctx context.Context, told Told) {
	for ctx.Err() == nil {
		err := p.follow(ctx, told)
		if ctx.Err() != nil {
			return
		}
		p.log.Warn("the log cannot be followed; it is tried again", "stream", p.names.EventStream(), "error", err)
		_ = pause(ctx, followRetry) // the loop looks at the context
		for ctx.Err() == nil {
			if err = p.Load(ctx); err == nil {
				break
			}
			p.log.Warn("the state of known resources could not be read again; it is tried again", "error", err)
			_ = pause(ctx, followRetry)
		}
	}
}

// errSkipped is for events that left the log before they were seen here.
var errSkipped = errors.New("events have aged out unseen")

func (p *Publisher) follow(ctx context.Context, told Told) error {
	seen := p.loaded.Load()
	consumer, err := p.js.OrderedConsumer(ctx, p.names.EventStream(), jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: seen + 1, HeadersOnly: true,
		MaxResetAttempts: tail.Attempts,
	})
	if err != nil {
		return err
	}
	iterator, err := consumer.Messages(jetstream.PullMaxMessages(scanBatch))
	if err != nil {
		return err
	}
	messages := tail.Of(iterator)
	defer messages.Stop()
	prefix := len(p.names.Prefix()) + 1
	for {
		msg, err := p.next(ctx, messages)
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
		fact, err := event.FactOf(msg.Headers(), sequence)
		if err != nil {
			p.log.Warn("an entry of the log is no event of the bridge and is passed over", "subject", msg.Subject(), "error", err)
			continue
		}
		resource := event.ResourceOf(msg.Subject()[prefix:])
		p.known.learn(resource, place{fact: &fact, expect: fact.Sequence})
		told(resource, fact)
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

// errRemade is for a log that is not the one that was loaded.
var errRemade = errors.New("the log was made again")

// next waits for the next event, and now and then looks whether the log is still the same.
func (p *Publisher) next(ctx context.Context, messages *tail.Messages) (jetstream.Msg, error) {
	for {
		wait, cancel := context.WithTimeout(ctx, identityLook)
		msg, err := messages.Next(ctx, wait)
		cancel()
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return msg, err
		}
		log, err := p.js.Stream(ctx, p.names.EventStream())
		if err != nil {
			return nil, err
		}
		if log.CachedInfo().Created.UnixNano() != p.made.Load() {
			return nil, errRemade
		}
	}
}

// identityLook is how often a quiet log is looked at.
const identityLook = 30 * time.Second
