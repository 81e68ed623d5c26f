package publish

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/event"
	"mkio-bridge/internal/lifecycle"
)

// A place is where a resource stands: its last event (nil: none is known) and the sequence that the
// log will hold for its subjects. They differ when the event has aged out of the log and only the
// state bucket still has it: then 0 is expected.
type place struct {
	fact   *lifecycle.Fact
	expect uint64
}

// known remembers the place of every resource. It is a cache: what it lacks or has wrong costs a
// round trip, never a wrong event.
type known struct {
	mu     sync.RWMutex
	places map[string]place // by resource token
}

func (k *known) get(resource string) place {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.places[resource]
}

func (k *known) put(resource string, at place) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if at.fact == nil {
		delete(k.places, resource)
		return
	}
	k.places[resource] = at
}

// learn puts a place that a scan found, unless something newer is known already.
func (k *known) learn(resource string, at place) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if old, ok := k.places[resource]; !ok || old.fact.Sequence < at.fact.Sequence {
		k.places[resource] = at
	}
}

// size is how many resources are known.
func (k *known) size() int {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return len(k.places)
}

// Load fills the memory with the last event of every resource, from the headers of the state
// bucket. It may be called again at any time.
func (p *Publisher) Load(ctx context.Context) error {
	state, err := p.awaitView(ctx)
	if err != nil {
		return fmt.Errorf("read %s: %w", p.names.StateStream(), err)
	}
	if state.Msgs == 0 {
		return nil
	}
	consumer, err := p.js.OrderedConsumer(ctx, p.names.StateStream(), jetstream.OrderedConsumerConfig{HeadersOnly: true})
	if err != nil {
		return fmt.Errorf("read %s: %w", p.names.StateStream(), err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(scanBatch))
	if err != nil {
		return fmt.Errorf("read %s: %w", p.names.StateStream(), err)
	}
	defer messages.Stop()
	prefix := p.names.StateSubject("")
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
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
// used as it is: what it lacks costs a round trip, but for resources that have aged out of the log.
func (p *Publisher) awaitView(ctx context.Context) (jetstream.StreamState, error) {
	log, err := p.js.Stream(ctx, p.names.EventStream())
	if err != nil {
		return jetstream.StreamState{}, err
	}
	want := log.CachedInfo().State
	for waited := time.Duration(0); ; waited += viewLook {
		view, err := p.js.Stream(ctx, p.names.StateStream())
		if err != nil {
			return jetstream.StreamState{}, err
		}
		info := view.CachedInfo()
		if want.Msgs == 0 || len(info.Sources) > 0 && info.Sources[0].Seq >= want.LastSeq {
			p.behind.Store(false)
			return info.State, nil
		}
		if waited >= viewPatience {
			p.behind.Store(true)
			p.log.Warn("the state bucket lags behind the log; going on with what it has", "bucket", p.names.StateBucket(), "waited", waited)
			return info.State, nil
		}
		if err := pause(ctx, viewLook); err != nil {
			return jetstream.StreamState{}, err
		}
	}
}

// scanBatch is how many headers a scan asks for at once.
const scanBatch = 4096

// KeepLoaded loads again, well within an age limit of the log, until the context ends: what another
// bridge recorded long ago must not be taken for new when its last event has aged out.
func (p *Publisher) KeepLoaded(ctx context.Context, maxAge time.Duration) {
	ticker := time.NewTicker(maxAge / 4)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := p.Load(ctx); err != nil && !errors.Is(err, context.Canceled) {
			p.log.Error("the state of known resources could not be read again; it is tried again later", "error", err, "every", maxAge/4)
		}
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

// Remembered returns the sequence of the resource's last event as far as it is known here, 0 for
// none: what a poll takes along as its basis.
func (p *Publisher) Remembered(key lifecycle.Key) uint64 {
	if at := p.known.get(p.names.Resource(key)); at.fact != nil {
		return at.fact.Sequence
	}
	return 0
}
