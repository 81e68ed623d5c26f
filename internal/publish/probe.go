package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mkio-bridge/internal/noanswer"
	"mkio-bridge/internal/streams"
)

// A proof says when, and on which connection, JetStream last checked a write to the log.
type proof struct {
	at         time.Time
	reconnects uint64
}

const (
	readyFor = time.Second // how long the result of a probe is reused: anybody may ask for /readyz
	proofFor = readyFor    // how long the right to write is taken for granted on one connection
)

// ready says why the bridge could not store a delivery now, or why it could not do so lastingly; nil when it can.
// JetStream is asked to store something, so that rights, leaders, quorums and limits are tried rather than guessed.
//
// The bridge stays ready when MKIO_UNAPPLIED is full: events are still stored, another bridge would have no more room, and a
// load balancer that sent nothing here any more would lose what can be stored. The deliveries that have no room are answered
// 503, logged and counted in mkio_bridge_publish_failures_total.
func (w *watchdog) ready(ctx context.Context) error {
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	recent := time.Since(w.probed) < readyFor
	<-w.turn
	if !w.streams.Surveyed() {
		surveying, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookWait)
		defer cancel()
		w.survey(surveying)
	}
	if !recent {
		w.probe(context.WithoutCancel(ctx))
	}
	if err := w.streams.Err(); err != nil {
		rouse(w.wake)
		return err
	}
	return w.trouble()
}

// trouble says why nothing can be written to the log now, as far as it is known; nil when it can.
func (w *watchdog) trouble() error {
	if _, err := w.logBreaker.allow(); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, w.names.EventStream(), err)
	}
	return nil
}

// probe has JetStream store something, one caller at a time, and notes why it could not store an event. What it finds
// opens and closes the circuit breakers: what JetStream's API answers, or does not answer, says nothing about writes.
func (w *watchdog) probe(ctx context.Context) {
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	if time.Since(w.probed) < readyFor/2 { // somebody else probed meanwhile
		return
	}
	probing, cancel := context.WithTimeout(ctx, lookWait)
	defer cancel()
	through, _ := w.logBreaker.allow()
	stuck := w.writable(probing)
	if ctx.Err() != nil {
		return // the bridge stops: that is nobody's trouble
	}
	if stuck != nil {
		w.logBreaker.trip(through, trouble{stuck})
	} else {
		w.logBreaker.close()
		if _, err := w.unappliedBreaker.allow(); err != nil && streams.TryWrite(probing, w.js, w.names.UnappliedStream(), w.names.UnappliedPrefix()) == nil {
			w.unappliedBreaker.close()
		}
	}
	w.streams.NoteWrites(stuck)
	w.probed = time.Now()
}

// writable says why no event may be written now; nil when one may.
func (w *watchdog) writable(ctx context.Context) error {
	if !w.nc.IsConnected() {
		return errors.New("NATS is not connected")
	}
	if err := w.stores(ctx); err != nil {
		return err
	}
	if err := w.streams.LogErr(); err != nil {
		return err
	}
	if w.trouble() == nil {
		return nil
	}
	return w.stillSameLog(ctx)
}

// stores has JetStream store something, and says why it could not have stored an event.
func (w *watchdog) stores(ctx context.Context) error {
	bucket := w.names.NotesBucket()
	// One key, which every bridge overwrites: it proves that the disks, the quorum and the limits of this JetStream take a
	// write. No event has to be written for that, and no consumer sees this key.
	key := "$KV." + bucket + ".ready"
	_, err := w.js.Publish(ctx, key, nil, jetstream.WithExpectStream("KV_"+bucket), jetstream.WithRetryAttempts(0))
	if err != nil {
		return fmt.Errorf("write to bucket %s: %w", bucket, noanswer.Forbidden(w.nc, err, key))
	}
	// That the log's leader would take a write from this user is not tried while writes are acknowledged anyway, and not
	// at every look: those who subscribe to all of the log's subjects without JetStream see the attempt.
	now := proof{time.Now(), w.nc.Stats().Reconnects}
	proven := w.proven
	if acked := w.logBreaker.lastAcked(); acked.After(proven.at) {
		proven.at = acked
	}
	if w.trouble() == nil && proven.reconnects == now.reconnects && now.at.Sub(proven.at) < proofFor {
		return nil
	}
	if err := streams.TryWrite(ctx, w.js, w.names.EventStream(), w.names.Prefix()); err != nil {
		return err
	}
	w.proven = now
	return nil
}

// stillSameLog says whether the log that takes writes again after it took none is the one that is remembered. The last
// event that is known of it proves that; only where it is not found has JetStream's API to tell.
func (w *watchdog) stillSameLog(ctx context.Context) error {
	if w.follower.hasLastKnown(ctx) {
		return nil
	}
	horizon := w.follower.heads.upTo()
	answers := w.ask(ctx)
	log, view := answers.Infos[w.names.EventStream()], answers.Infos[w.names.StateStream()]
	if log == nil || view == nil {
		return fmt.Errorf("%s takes writes, and JetStream does not answer whether it is the log that was read", w.names.EventStream())
	}
	return w.follower.sameLog(ctx, log, view, horizon)
}
