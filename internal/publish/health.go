package publish

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/noanswer"
	"mkio-bridge/internal/streams"
)

// health is what the last probes and surveys found. It belongs to who has the turn, but for what is atomic.
type health struct {
	turn   chan struct{} // holds a token while somebody probes
	at     time.Time     // when the last whole probe ended
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
	<-p.health.turn
	if !p.streams.Surveyed() {
		surveying, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookWait)
		defer cancel()
		p.survey(surveying)
	}
	if !recent {
		p.probe(context.WithoutCancel(ctx))
	}
	if err := p.streams.Err(); err != nil {
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

// probe has JetStream store something, one caller at a time, and notes why it could not store an event. What it finds
// opens and closes the circuit breakers: what JetStream's API answers, or does not answer, says nothing about writes.
func (p *Publisher) probe(ctx context.Context) {
	p.health.turn <- struct{}{}
	defer func() { <-p.health.turn }()
	if time.Since(p.health.at) < readyFor/2 { // somebody else probed meanwhile
		return
	}
	probing, cancel := context.WithTimeout(ctx, lookWait)
	defer cancel()
	through, _ := p.gate.pass()
	stuck := p.writable(probing)
	if ctx.Err() != nil {
		return // the bridge stops: that is nobody's trouble
	}
	if stuck != nil {
		p.gate.shut(through, trouble{stuck})
	} else {
		p.gate.open()
		if _, err := p.aside.pass(); err != nil && streams.TryWrite(probing, p.js, p.names.UnappliedStream(), p.names.UnappliedPrefix()) == nil {
			p.aside.open()
		}
	}
	p.streams.NoteWrites(stuck)
	p.health.at = time.Now()
}

// writable says why no event may be written now; nil when one may.
func (p *Publisher) writable(ctx context.Context) error {
	if !p.nc.IsConnected() {
		return errors.New("NATS is not connected")
	}
	if err := p.stores(ctx); err != nil {
		return err
	}
	if err := p.streams.LogErr(); err != nil {
		return err
	}
	if p.Trouble() == nil {
		return nil
	}
	return p.stillSameLog(ctx)
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

// stores has JetStream store something, and says why it could not have stored an event.
func (p *Publisher) stores(ctx context.Context) error {
	bucket := p.names.NotesBucket()
	// One key, which every bridge overwrites: it proves that the disks, the quorum and the limits of this JetStream take a write. That
	// of the log does not have to be tried: nobody sees this one.
	key := "$KV." + bucket + ".ready"
	_, err := p.js.Publish(ctx, key, nil, jetstream.WithExpectStream("KV_"+bucket), jetstream.WithRetryAttempts(0))
	if err != nil {
		return fmt.Errorf("write to bucket %s: %w", bucket, noanswer.Forbidden(p.nc, err, key))
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
	if err := streams.TryWrite(ctx, p.js, p.names.EventStream(), p.names.Prefix()); err != nil {
		return err
	}
	p.health.proven = now
	return nil
}
