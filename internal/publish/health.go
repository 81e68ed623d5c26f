package publish

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// health is what the last looks found. It belongs to who has the turn, but for what is atomic.
type health struct {
	turn   chan struct{} // holds a token while somebody looks
	found  condition
	at     time.Time // when the last whole look ended
	proven proof

	unapplied         atomic.Uint64 // deliveries that became no event
	unappliedPermille atomic.Uint64 // of the room for them that is taken
}

// A proof says when, and on which connection, JetStream last checked a write to the log.
type proof struct {
	at         time.Time
	reconnects uint64
}

const (
	readyFor = time.Second // how long a look answers for: anybody may ask
	provenBy = readyFor    // how long the right to write is taken for granted on one connection
)

// Ready says why the bridge could not store a delivery now, or why it could not do so lastingly; nil when it can.
// JetStream is asked to store something, so that rights, leaders, quorums and limits are tried rather than guessed.
//
// That MKIO_UNAPPLIED is full is no reason: events are stored, another bridge would have no more room, and a load
// balancer that sent nothing here any more would lose what can be stored. The deliveries that have no room are answered 503, logged and
// counted in mkio_bridge_publish_failures_total.
func (p *Publisher) Ready(ctx context.Context) error {
	select {
	case p.health.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	recent := time.Since(p.health.at) < readyFor
	found := p.health.found
	<-p.health.turn
	if !recent {
		found = p.examine(context.WithoutCancel(ctx), true)
	}
	if err := found.err(); err != nil {
		rouse(p.wake)
		return err
	}
	return p.Trouble()
}

// Trouble says why nothing can be written to the log now, as far as it is known; nil when it can.
func (p *Publisher) Trouble() error {
	if _, err := p.gate.pass(); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, p.names.EventStream(), err)
	}
	return nil
}

// examine looks at the streams, one caller at a time; with write it also has JetStream store something. What it
// finds opens and shuts the gates.
func (p *Publisher) examine(ctx context.Context, write bool) condition {
	p.health.turn <- struct{}{}
	defer func() { <-p.health.turn }()
	if write && time.Since(p.health.at) < readyFor/2 { // somebody else looked meanwhile
		return p.health.found
	}
	looking, cancel := context.WithTimeout(ctx, lookWait)
	defer cancel()
	through, _ := p.gate.pass()
	horizon := p.Horizon()
	c := condition{}
	if !p.nc.IsConnected() {
		c.stuck = errors.New("NATS is not connected")
	} else {
		var infos map[string]*jetstream.StreamInfo
		infos, c = p.survey(looking)
		if c.stuck == nil {
			c.stuck = p.sameLog(looking, infos, horizon)
		}
		if c.stuck == nil && write {
			c.stuck = p.stores(looking)
		}
	}
	if ctx.Err() != nil {
		return c // the bridge stops: that is nobody's trouble
	}
	p.conclude(looking, through, c, write)
	if write {
		p.health.found, p.health.at = c, time.Now()
	}
	return c
}

// conclude opens and shuts the gates.
func (p *Publisher) conclude(ctx context.Context, through ticket, c condition, write bool) {
	if c.stuck != nil {
		p.gate.shut(through, trouble{c.stuck})
		return
	}
	if !write {
		return
	}
	p.gate.open()
	if _, err := p.aside.pass(); err != nil && tryPublish(ctx, p.js, p.names.UnappliedStream(), p.names.UnappliedPrefix()+"."+probeSubject) == nil {
		p.aside.open()
	}
}

// survey looks at every stream.
func (p *Publisher) survey(ctx context.Context) (map[string]*jetstream.StreamInfo, condition) {
	infos := map[string]*jetstream.StreamInfo{}
	var c condition
	wanted := p.streams.all()
	found, errs := make([]*jetstream.StreamInfo, len(wanted)), make([]error, len(wanted))
	var looking sync.WaitGroup
	for i, want := range wanted { // at the same time: who is asked may be busy
		looking.Go(func() { found[i], errs[i] = ensure(ctx, p.js, want, false) })
	}
	looking.Wait()
	for i, want := range wanted {
		info, err := found[i], errs[i]
		if info != nil {
			infos[want.Name] = info
		}
		if info != nil && want.Name == p.names.UnappliedStream() {
			p.health.noteUnapplied(info)
		}
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			c.missing = append(c.missing, want.Name)
		}
		// What is not as it should be may still take writes: whether it does is tried. One that is not there, or that
		// nobody answers for, does not; without the state bucket nobody knows what has aged out.
		needed := want.Name == p.names.EventStream() || want.Name == p.names.StateStream()
		switch {
		case err == nil:
		case info == nil && needed && c.stuck == nil:
			c.stuck = err
		default:
			c.unfit = append(c.unfit, err)
		}
	}
	return infos, c
}

// noteUnapplied notes how many deliveries became no event, and how full their stream is.
func (h *health) noteUnapplied(info *jetstream.StreamInfo) {
	h.unapplied.Store(info.State.Msgs)
	permille := uint64(0)
	if limit := info.Config.MaxBytes; limit > 0 {
		permille = info.State.Bytes * 1000 / uint64(limit)
	}
	h.unappliedPermille.Store(permille)
}

// sameLog says whether the log is the one that is remembered, which it had up to the horizon before it was looked
// at, and whether the state bucket is filled from it. Another log is read before anything is written to it.
func (p *Publisher) sameLog(ctx context.Context, infos map[string]*jetstream.StreamInfo, horizon uint64) error {
	log := infos[p.names.EventStream()]
	p.noteMissing(log.State)
	if made := p.made.Load(); made != 0 {
		shorter, err := p.lostEnd(ctx, log.State.LastSeq, horizon)
		if err != nil {
			return err
		}
		if shorter || made != log.Created.UnixNano() {
			p.readAgain()
			return errRemade
		}
	}
	_, err := p.viewOf(ctx, log.State.LastSeq, infos[p.names.StateStream()])
	return err
}

// stores has JetStream store something, and says why it could not have stored an event.
func (p *Publisher) stores(ctx context.Context) error {
	bucket := p.names.NotesBucket()
	// One key, which every bridge overwrites: it proves that the disks, the quorum and the limits of this JetStream take a write. That
	// of the log does not have to be tried: nobody sees this one.
	_, err := p.js.Publish(ctx, "$KV."+bucket+".ready", nil, jetstream.WithExpectStream("KV_"+bucket), jetstream.WithRetryAttempts(0))
	if err != nil {
		return fmt.Errorf("write to bucket %s: %w", bucket, err)
	}
	// That the log's leader would take a write from this user is not tried while writes are acknowledged anyway, and not
	// at every look: those who subscribe to all of the log's subjects without JetStream see the attempt.
	now := proof{time.Now(), p.nc.Stats().Reconnects}
	proven := p.health.proven
	if acked := p.gate.lastAcked(); acked.After(proven.at) {
		proven.at = acked
	}
	if p.Trouble() == nil && proven.reconnects == now.reconnects && now.at.Sub(proven.at) < provenBy {
		return nil
	}
	if err := TryPublish(ctx, p.js, p.streams); err != nil {
		return err
	}
	p.health.proven = now
	return nil
}
